import { toneOf } from "./tone.ts";

import type { JSX } from "preact";

import type { StateType } from "../api/types.ts";

/** A state by its name and colour. */
export function StateBadge({
  type,
  name,
}: {
  readonly type: StateType | null;
  readonly name: string | null;
}): JSX.Element {
  return (
    <span class="badge" data-tone={toneOf(type, name)}>
      {name ?? "No state"}
    </span>
  );
}
