import type { JSX } from "preact";

const PATHS = {
  run: "M5 3.5v9l7.5-4.5z",
  pause: "M4.5 3.5h2.5v9H4.5zM9 3.5h2.5v9H9z",
  cancel: "M4 4l8 8M12 4l-8 8",
  remove: "M3 4.5h10M6.5 4.5V3h3v1.5M4.5 4.5l.6 8.5h5.8l.6-8.5",
  again: "M12.5 8a4.5 4.5 0 1 1-1.4-3.3M12.5 2.5v2.7H9.8",
  download: "M8 2.5v7.5M4.8 7l3.2 3.2L11.2 7M3 13h10",
  auto: "M8 2.5a5.5 5.5 0 1 0 0 11zM8 2.5a5.5 5.5 0 0 1 0 11z",
  light:
    "M8 5.2a2.8 2.8 0 1 0 0 5.6 2.8 2.8 0 0 0 0-5.6zM8 1.5v1.5M8 13v1.5M1.5 8H3M13 8h1.5M3.4 3.4l1.1 1.1M11.5 11.5l1.1 1.1M12.6 3.4l-1.1 1.1M4.5 11.5l-1.1 1.1",
  dark: "M13 9.5A5.5 5.5 0 0 1 6.5 3 5.5 5.5 0 1 0 13 9.5z",
  down: "M8 3v10M4 9l4 4 4-4",
} as const;

export type IconName = keyof typeof PATHS;

const FILLED: ReadonlySet<IconName> = new Set(["run", "pause"]);

/** A small picture beside or in place of a word; what it means is said by its button. */
export function Icon({ name }: { readonly name: IconName }): JSX.Element {
  const isFilled = FILLED.has(name);
  return (
    <svg class="icon" viewBox="0 0 16 16" aria-hidden="true" width="16" height="16">
      {name === "auto" && <path d="M8 2.5a5.5 5.5 0 1 0 0 11z" fill="currentColor" />}
      <path
        d={PATHS[name]}
        fill={isFilled ? "currentColor" : "none"}
        stroke={isFilled ? "none" : "currentColor"}
        stroke-width="1.5"
        stroke-linecap="round"
        stroke-linejoin="round"
      />
    </svg>
  );
}
