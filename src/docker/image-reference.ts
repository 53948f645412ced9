import { WorkerError } from "../errors.ts";

/** The name of an image, taken apart. */
export interface ImageReference {
  /** Where the image is kept: `docker.io` for names without a host. */
  readonly registry: string;
  /** Everything before tag and digest, as it was written: `registry:5000/team/app`, `ubuntu`. */
  readonly name: string;
  readonly tag?: string;
  /** `sha256:…` */
  readonly digest?: string;
}

export const DOCKER_HUB = "docker.io";

// The grammar of Docker's distribution/reference: components of a path are lower case, a host need not be.
const COMPONENT = "[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*";
const PATH = new RegExp(`^${COMPONENT}(?:/${COMPONENT})*$`);
const HOST = /^(?:[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?|\[[0-9a-fA-F:]+\])(?::\d+)?$/;
const TAG = /^\w[\w.-]{0,127}$/;
const DIGEST = /^[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[0-9a-fA-F]{32,}$/;

/** Takes `host:port/path:tag@digest` apart. Throws IMAGE_UNAVAILABLE for what cannot be the name of an image. */
export function parseImageReference(text: string): ImageReference {
  const [beforeDigest = "", digest, ...rest] = text.split("@");
  const colon = beforeDigest.lastIndexOf(":");
  const hasTag = colon > beforeDigest.lastIndexOf("/");
  const name = hasTag ? beforeDigest.slice(0, colon) : beforeDigest;
  const tag = hasTag ? beforeDigest.slice(colon + 1) : undefined;
  const { host, path } = splitHost(name);
  const problem =
    text.trim() === ""
      ? "it is empty"
      : /\s/.test(text)
        ? "it has white space in it"
        : host !== undefined && !HOST.test(host)
          ? `${host} is no host of a registry`
          : !PATH.test(path)
            ? explainPath(path)
            : tag !== undefined && !TAG.test(tag)
              ? `'${tag}' is no tag: letters, digits, '_', '.' and '-', 128 at most`
              : rest.length > 0 || (digest !== undefined && !DIGEST.test(digest))
                ? "what follows the @ is no digest such as sha256:…"
                : undefined;
  if (problem !== undefined) {
    throw new WorkerError("IMAGE_UNAVAILABLE", `'${text}' is not the name of an image: ${problem}`, {
      hint: "Write it as name:tag, team/name:tag, or registry.example.com/team/name:tag.",
    });
  }
  return {
    registry: registryHost(host ?? DOCKER_HUB),
    name,
    ...(tag === undefined ? {} : { tag }),
    ...(digest === undefined ? {} : { digest }),
  };
}

/**
 * The host by which a registry is known, whichever way somebody wrote it: `https://index.docker.io/v1/` is docker.io, as
 * for docker-py (docker/auth.py: resolve_index_name).
 */
export function registryHost(address: string): string {
  const host =
    address
      .trim()
      .replace(/^https?:\/\//, "")
      .split("/", 1)[0] ?? "";
  return /^(?:index|registry-1)\.docker\.io$/.test(host) ? DOCKER_HUB : host;
}

/** The first part is a host when it could be no path, or is `localhost`. */
function splitHost(name: string): { readonly host: string | undefined; readonly path: string } {
  const slash = name.indexOf("/");
  const first = name.slice(0, Math.max(slash, 0));
  return /[.:]/.test(first) || first === "localhost"
    ? { host: first, path: name.slice(slash + 1) }
    : { host: undefined, path: name };
}

function explainPath(path: string): string {
  if (path !== path.toLowerCase()) return `'${path}' must be in lower case`;
  return `'${path}' may only hold lower-case letters, digits, and single '.', '_', '-' or '/' between them`;
}
