import type { JSX } from "preact";

const TALLIES = [
  ["running", "Running", "now"],
  ["pending", "Pending", "now"],
  ["late", "Late", "now"],
  ["completed", "Completed", "in 24 h"],
  ["failed", "Failed", "in 24 h"],
  ["crashed", "Crashed", "in 24 h"],
] as const;

/** How many runs are at work, and how many ended how; each leads to its runs. */
export function Tallies({
  counts,
}: {
  readonly counts: Readonly<Record<string, number>> | undefined;
}): JSX.Element {
  return (
    <ul class="tallies" aria-label="Runs by state">
      {TALLIES.map(([state, name, when]) => (
        <li key={state}>
          <a href={`/runs?range=24h&state=${state}`} data-tone={state} data-none={counts?.[state] === 0}>
            <span class="tally-count">{counts?.[state] ?? "–"}</span>
            <span class="tally-name">
              <span class="dot" data-tone={state} aria-hidden="true" />
              {name} <span class="muted">{when}</span>
            </span>
          </a>
        </li>
      ))}
    </ul>
  );
}
