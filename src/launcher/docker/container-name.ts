const MAX_LENGTH = 250;

/**
 * Makes a name fit for a container (prefect_docker/worker.py: _slugify_container_name): accents go, runs of other characters
 * become a dash, nothing but a letter or digit at the start. Null when nothing is left.
 */
export function containerName(name: string): string | null {
  const slug = name
    .normalize("NFKD")
    .replaceAll(/\p{M}/gu, "")
    .replaceAll(/&#?\w+;/g, "")
    .replaceAll(/(?<=\d),(?=\d)/g, "")
    .replaceAll(/[^a-zA-Z0-9_.-]+/g, "-")
    .replaceAll(/-{2,}/g, "-")
    .replaceAll(/^-+|-+$/g, "")
    .slice(0, MAX_LENGTH)
    .replace(/-+$/, "")
    .replace(/^[_.-]+/, "");
  // Docker wants two characters at least.
  return slug.length < 2 ? null : slug;
}

/** The name that an attempt takes when the first one is taken: always the same for the same attempt. */
export function alternativeName(name: string, attempt: string): string {
  return `${name.slice(0, MAX_LENGTH - 9)}-${attempt.slice(0, 8)}`;
}
