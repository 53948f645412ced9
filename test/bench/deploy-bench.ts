import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

import { EmbeddedServer } from "../support/embedded-server.ts";
import { PrefectServer, prefectProgram } from "../support/prefect-server.ts";

const USAGE = `npm run bench deploy -- [options]
Registers deployments of one prefect.yaml with \`prefect deploy --all\` and \`lighterman deploy --all\`, by turns, on the same server: first new
ones, then the same again. Ten flow files, no steps.
  --deployments N     how many (default 100)
  --rounds N          how often each (default 3); medians are shown
  --server KIND       prefect or lighterman (default prefect)
  --side SIDE         only prefect or only lighterman
  --json              the figures as JSON instead of a table`;

const LIGHTERMAN = fileURLToPath(new URL("../../dist/lighterman.js", import.meta.url));
const FILES = 10;

type Side = "prefect" | "lighterman";
type Phase = "new" | "again";

interface Figure {
  readonly phase: Phase;
  readonly prefectSeconds: number;
  readonly lightermanSeconds: number;
  readonly ratio: number;
}

export async function main(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      deployments: { type: "string", default: "100" },
      rounds: { type: "string", default: "3" },
      server: { type: "string", default: "prefect" },
      side: { type: "string" },
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    console.log(USAGE);
    return;
  }
  const count = Number(values.deployments);
  const directory = await mkdtemp(join(tmpdir(), "deploy-bench-"));
  try {
    await using server =
      values.server === "lighterman" ? await EmbeddedServer.start() : await PrefectServer.start();
    await call(server.url, "POST", "/work_pools/", { name: "bench", type: "process" });
    await writeProject(directory, count);
    const seconds = new Map<string, number[]>();
    for (let round = 1; round <= Number(values.rounds); round += 1) {
      const order: readonly Side[] = round % 2 === 1 ? ["prefect", "lighterman"] : ["lighterman", "prefect"];
      for (const side of order.filter((one) => values.side === undefined || values.side === one)) {
        for (const phase of ["new", "again"] as const) {
          const taken = await deploy(side, server.url, directory);
          await expectDeployments(server.url, count);
          const key = `${side} ${phase}`;
          seconds.set(key, [...(seconds.get(key) ?? []), taken]);
          if (!values.json) console.error(`round ${round}: ${key}: ${taken.toFixed(2)} s`);
        }
        await clear(server.url);
      }
    }
    const figures = (["new", "again"] as const).map((phase): Figure => {
      const [theirs, ours] = [
        median(seconds.get(`prefect ${phase}`)),
        median(seconds.get(`lighterman ${phase}`)),
      ];
      return { phase, prefectSeconds: theirs, lightermanSeconds: ours, ratio: theirs / ours };
    });
    if (values.json) console.log(JSON.stringify(figures, null, 2));
    else {
      console.log(`${count} deployments, medians of ${values.rounds}, server: ${values.server}`);
      for (const { phase, prefectSeconds, lightermanSeconds, ratio } of figures) {
        const words = phase === "new" ? "new  " : "again";
        console.log(
          `${words}  prefect deploy ${prefectSeconds.toFixed(2)} s   lighterman deploy ${lightermanSeconds.toFixed(2)} s   ${ratio.toFixed(1)} times faster`,
        );
      }
    }
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function writeProject(directory: string, count: number): Promise<void> {
  for (let file = 0; file < FILES; file += 1) {
    const text = `from prefect import flow\n\n@flow\ndef flow_${file}(n: int = 1, name: str = "x"):\n    "A flow."\n`;
    await writeFile(join(directory, `flow_${file}.py`), text);
  }
  const deployments = Array.from({ length: count }, (_, index) => {
    const file = index % FILES;
    return `  - name: deployment-${index}\n    entrypoint: flow_${file}.py:flow_${file}\n    tags: [bench]\n    parameters: {n: ${index}}\n    schedules: [{cron: "0 ${index % 24} * * *"}]\n    work_pool: {name: bench}\n`;
  });
  await writeFile(
    join(directory, "prefect.yaml"),
    `pull:\n  - prefect.deployments.steps.set_working_directory: {directory: /srv}\ndeployments:\n${deployments.join("")}`,
  );
}

async function deploy(side: Side, url: string, cwd: string): Promise<number> {
  const env = {
    PATH: process.env["PATH"] ?? "",
    HOME: cwd,
    PREFECT_HOME: join(cwd, ".prefect"),
    PREFECT_API_URL: url,
    PREFECT_SERVER_ANALYTICS_ENABLED: "false",
    DO_NOT_TRACK: "1",
    LIGHTERMAN_PYTHON: prefectProgram(3, "python"),
  };
  const [program, args] =
    side === "prefect"
      ? [prefectProgram(3, "prefect"), ["--no-prompt", "deploy", "--all"]]
      : [process.execPath, [LIGHTERMAN, "deploy", "--all"]];
  const begin = performance.now();
  const child = spawn(program, args, { cwd, env, stdio: ["ignore", "ignore", "pipe"] });
  let errors = "";
  child.stderr.on("data", (chunk: Buffer) => {
    errors += chunk.toString();
  });
  const [code] = (await once(child, "close")) as [number];
  if (code !== 0) throw new Error(`${side} deploy ended with ${code}:\n${errors}`);
  return (performance.now() - begin) / 1000;
}

async function expectDeployments(url: string, count: number): Promise<void> {
  const found = await call<number>(url, "POST", "/deployments/count", {});
  if (found !== count) throw new Error(`${found} of ${count} deployments are there`);
}

async function clear(url: string): Promise<void> {
  for (const { id } of await call<{ readonly id: string }[]>(url, "POST", "/flows/filter", {})) {
    await call(url, "DELETE", `/flows/${id}`);
  }
}

async function call<T>(url: string, method: string, path: string, body?: unknown): Promise<T> {
  for (let attempt = 0; ; attempt += 1) {
    const response = await fetch(url + path, {
      method,
      headers: { "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (response.ok) return (text === "" ? undefined : JSON.parse(text)) as T;
    if (response.status !== 503 || attempt === 5)
      throw new Error(`${method} ${path}: ${response.status} ${text}`);
  }
}

function median(values: readonly number[] = []): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
