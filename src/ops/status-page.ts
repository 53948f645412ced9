import { deploymentOf, duration } from "./status.ts";

import type { Status } from "./status.ts";

const STYLE = `
:root { color-scheme: light dark; font: 14px/1.5 system-ui, sans-serif }
body { margin: 2rem auto; max-width: 72rem; padding: 0 1rem }
h1 { font-size: 1.3rem; margin: 0 }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; margin: 1rem 0 }
dt { opacity: .65 } dd { margin: 0 }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; padding: .35rem .6rem .35rem 0; border-bottom: 1px solid #8884; vertical-align: top }
td.n { font-variant-numeric: tabular-nums; white-space: nowrap }
small, .dim { opacity: .65 } .bad { color: #c33 }
`;

/** The status as a page that needs nothing from anywhere and looks again every few seconds. */
export function statusPage(status: Status): string {
  const { work_pool: pool, slots, flow_runs: runs } = status;
  const facts: readonly (readonly [string, string])[] = [
    ["State", `${status.state}${status.drains_until === null ? "" : ` until ${status.drains_until}`}`],
    ["Work pool", `${pool.name} (${pool.type ?? "not read yet"}${pool.is_paused ? ", paused" : ""})`],
    ["Work queues", status.work_queues.length === 0 ? "all" : status.work_queues.join(", ")],
    ["Slots", `${slots.in_use} of ${slots.limit ?? "any number"}`],
    ["Last poll", status.last_poll ?? "none yet"],
    ["Event stream", status.is_event_stream_connected ? "connected" : "not connected; polling does its work"],
    ["API", status.api_url],
    ["Up", `${duration(status.uptime_seconds)}, since ${status.started ?? ""}`],
    ["Version", `${status.version}, pid ${status.pid}`],
  ];
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta http-equiv="refresh" content="5"><title>${escape(status.worker)}</title><style>${STYLE}</style></head>
<body><h1>${escape(status.worker)}</h1>
${status.complaints.map((text) => `<p class="bad">${escape(text)}</p>`).join("\n")}
<dl>${facts.map(([name, value]) => `<dt>${name}</dt><dd>${escape(value)}</dd>`).join("\n")}</dl>
${runs.length === 0 ? `<p class="dim">No flow runs in hand.</p>` : table(runs)}
</body></html>
`;
}

function table(runs: Status["flow_runs"]): string {
  const rows = runs.map(
    (run) =>
      `<tr><td>${escape(run.name)}<br><small>${escape(run.id)}</small></td><td>${escape(deploymentOf(run))}</td>` +
      `<td>${escape(run.phase)}</td><td class="n">${duration(run.phase_seconds)}</td><td>${escape(run.waiting_for)}</td></tr>`,
  );
  return `<table><thead><tr><th>Flow run</th><th>Deployment</th><th>Phase</th><th>For</th><th>Waiting for</th></tr></thead>
<tbody>${rows.join("\n")}</tbody></table>`;
}

const ENTITIES: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };

function escape(text: string): string {
  return text.replaceAll(/[&<>"]/g, (character) => ENTITIES[character] ?? "");
}
