import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { PrefectApi, uniqueName } from "../support/prefect-api.ts";
import { PrefectServer } from "../support/prefect-server.ts";
import { residentBytes } from "../support/proc.ts";
import { startPythonWorker, startWorker } from "../support/worker-process.ts";
import { startLoggingProxy } from "./logging-proxy.ts";
import { MEASURES, Samples, renderTable, summarize } from "./report.ts";
import { openSources } from "./sources.ts";
import type { Deployment } from "../support/prefect-api.ts";
import type { LoggingProxy } from "./logging-proxy.ts";
import type { MeasureKey, Side } from "./report.ts";
import type { Sources } from "./sources.ts";

const USAGE = `npm run bench -- [options]
  --only KEYS         comma-separated: ${MEASURES.map(({ key }) => key).join(", ")} (default: all)
  --rounds N          each round starts both workers once, in alternating order (default 3)
  --singles N         runs one at a time, per round (default 5)
  --burst N           runs of the burst (default 20)
  --files N           files below the S3 prefix (default 2000)
  --idle-seconds N    from the start to the reading of the memory (default 30)
  --side SIDE         only python or only lighterman
  --json              the figures as JSON instead of a table`;

interface Plan {
  readonly only: ReadonlySet<string>;
  readonly rounds: number;
  readonly singles: number;
  readonly burst: number;
  readonly files: number;
  readonly idleSeconds: number;
  readonly sides: readonly Side[];
  readonly json: boolean;
}

function readPlan(args: readonly string[]): Plan | undefined {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: "string", default: MEASURES.map(({ key }) => key).join(",") },
      rounds: { type: "string", default: "3" },
      singles: { type: "string", default: "5" },
      burst: { type: "string", default: "20" },
      files: { type: "string", default: "2000" },
      "idle-seconds": { type: "string", default: "30" },
      side: { type: "string" },
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return undefined;
  return {
    only: new Set(values.only.split(",")),
    rounds: Number(values.rounds),
    singles: Number(values.singles),
    burst: Number(values.burst),
    files: Number(values.files),
    idleSeconds: Number(values["idle-seconds"]),
    sides:
      values.side === "python" || values.side === "lighterman" ? [values.side] : ["python", "lighterman"],
    json: values.json,
  };
}

/** One worker from its start to its stop: every measure of the plan once. */
class Round {
  readonly #plan: Plan;
  readonly #samples: Samples;
  readonly #side: Side;
  readonly #api: PrefectApi;
  readonly #sources: Sources;
  readonly #pool = uniqueName("bench");

  constructor(plan: Plan, samples: Samples, side: Side, api: PrefectApi, sources: Sources) {
    this.#plan = plan;
    this.#samples = samples;
    this.#side = side;
    this.#api = api;
    this.#sources = sources;
  }

  #wants(key: MeasureKey): boolean {
    return this.#plan.only.has(key);
  }

  #add(key: MeasureKey, value: number): void {
    this.#samples.add(this.#side, key, value);
    console.error(`  ${this.#side} ${key}: ${value.toFixed(2)}`);
  }

  async run(proxy: LoggingProxy): Promise<void> {
    await this.#api.createPool(this.#pool);
    const options = { apiUrl: proxy.url, pool: this.#pool };
    const firstPoll = proxy.nextRequest("/get_scheduled_flow_runs");
    const startedAt = performance.now();
    await using worker = await (this.#side === "python" ? startPythonWorker : startWorker)(options);
    const polledAt = await Promise.race([
      firstPoll,
      worker.process.ended.then(() =>
        Promise.reject(new Error(`the worker ended:\n${worker.process.output}`)),
      ),
    ]);
    if (this.#wants("firstPoll")) this.#add("firstPoll", (polledAt - startedAt) / 1000);
    if (this.#wants("idleMemory")) {
      await sleep(this.#plan.idleSeconds * 1000);
      this.#add("idleMemory", residentBytes(worker.process.pid) / 1024 / 1024);
    }
    if (this.#wants("startRun")) await this.#measureSingles();
    if (this.#wants("burst")) await this.#measureBurst();
    if (this.#wants("s3")) await this.#measureStep("s3", this.#sources.s3Step);
    if (this.#wants("git")) await this.#measureStep("git", this.#sources.gitStep);
  }

  #deploy(steps: readonly Record<string, unknown>[] = []): Promise<Deployment> {
    return this.#api.createDeployment({
      pool: this.#pool,
      entrypoint: "flow.py:one_line",
      pullSteps: [
        ...steps,
        {
          "prefect.deployments.steps.set_working_directory": {
            directory: fileURLToPath(new URL("../../test/bench", import.meta.url)),
          },
        },
      ],
    });
  }

  /** From the creation to the RUNNING state, both as the server has them. */
  async #measureSingles(): Promise<void> {
    const deployment = await this.#deploy();
    for (let run = 0; run < this.#plan.singles; run += 1) {
      const { id } = await this.#api.run(deployment);
      const times = await this.#timesOf(id);
      this.#add("startRun", (times.started - times.created) / 1000);
    }
  }

  /** From the first creation to the last end. */
  async #measureBurst(): Promise<void> {
    const deployment = await this.#deploy();
    const runs = await Promise.all(Array.from({ length: this.#plan.burst }, () => this.#api.run(deployment)));
    const times = [];
    for (const run of runs) times.push(await this.#timesOf(run.id));
    const first = Math.min(...times.map((time) => time.created));
    const last = Math.max(...times.map((time) => time.ended));
    this.#add("burst", (runs.length / (last - first)) * 1000);
  }

  async #timesOf(id: string): Promise<{ created: number; started: number; ended: number }> {
    await this.#api.waitFor({ id }, ["COMPLETED"], 300_000);
    const run = await this.#api.call<{ created: string; start_time: string; end_time: string }>(
      "GET",
      `/flow_runs/${id}`,
    );
    return {
      created: Date.parse(run.created),
      started: Date.parse(run.start_time),
      ended: Date.parse(run.end_time),
    };
  }

  /** The step alone: its neighbours before and after note the time in a file, the same way for both workers. */
  async #measureStep(key: "s3" | "git", step: Record<string, unknown>): Promise<void> {
    const directory = await mkdtemp(join(tmpdir(), "bench-step-"));
    try {
      const stamps = join(directory, "stamps");
      const script = join(directory, "stamp.sh");
      await writeFile(script, `date +%s%N >> ${stamps}\n`);
      const stamp = { "prefect.deployments.steps.run_shell_script": { script: `sh ${script}` } };
      const run = await this.#api.run(await this.#deploy([stamp, step, stamp]));
      await this.#api.waitFor(run, ["COMPLETED"], 300_000);
      const [before, after] = (await readFile(stamps, "utf8")).trim().split("\n").map(Number);
      this.#add(key, ((after ?? Number.NaN) - (before ?? Number.NaN)) / 1e9);
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  }
}

/** Both workers side by side against one real server; the order alternates from round to round. */
export async function main(args: readonly string[]): Promise<void> {
  const plan = readPlan(args);
  if (plan === undefined) {
    console.log(USAGE);
    return;
  }
  const samples = new Samples();
  await using server = await PrefectServer.start();
  await using proxy = await startLoggingProxy(server.url);
  await using sources = await openSources(plan);
  const api = new PrefectApi(server.url);
  for (let round = 0; round < plan.rounds; round += 1) {
    const sides = round % 2 === 0 ? plan.sides : plan.sides.toReversed();
    for (const side of sides) {
      console.error(`round ${round + 1} of ${plan.rounds}: ${side}`);
      await new Round(plan, samples, side, api, sources).run(proxy);
    }
  }
  console.log(plan.json ? JSON.stringify(summarize(samples), null, 2) : renderTable(samples));
}
