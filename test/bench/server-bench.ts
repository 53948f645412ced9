import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { Pool } from "undici";
import { AsyncDisposables } from "../support/disposables.ts";
import { EmbeddedServer } from "../support/embedded-server.ts";
import { PrefectServer, freePort } from "../support/prefect-server.ts";
import { residentBytes } from "../support/proc.ts";
import { TestProcess } from "../support/test-process.ts";
import { WorkerHome, workerBundle } from "../support/worker-process.ts";

const USAGE = `npm run bench server -- [options]
Clients do what workers and engines do: create a run of a deployment, poll the pool, claim the run, set it RUNNING and COMPLETED.
Both servers are measured by turns in this one process, each with its own SQLite file.
  --clients LIST      numbers of clients (default 1,2,8,32)
  --seconds N         length of each measurement (default 10)
  --history N         runs in a second store of ours, which is measured at 8 clients by turns with the one that has few; 0 leaves it
                      out (default 100000)
  --rounds N          how often those two are measured (default 3); medians are shown
  --idle-seconds N    from the start of a worker that serves the API itself to the reading of its memory (default 30)
  --side SIDE         only prefect or only lighterman
  --json              the figures as JSON instead of a table`;

const STEPS = ["create", "poll", "claim", "running", "completed"] as const;
type Step = (typeof STEPS)[number];
type Side = "prefect" | "lighterman";

interface Plan {
  readonly clients: readonly number[];
  readonly seconds: number;
  readonly history: number;
  readonly rounds: number;
  readonly idleSeconds: number;
  readonly sides: readonly Side[];
  readonly json: boolean;
}

interface Outcome {
  readonly side: Side;
  readonly clients: number;
  /** Runs that were in the store at the start. */
  readonly history: number;
  /** Answered requests with a status below 500, per second. */
  readonly rate: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly requests: number;
  /** Answers 5xx and broken connections. */
  readonly failed: number;
  readonly p99MsByStep: Readonly<Record<Step, number>>;
}

function readPlan(args: readonly string[]): Plan | undefined {
  const { values } = parseArgs({
    args: [...args],
    options: {
      clients: { type: "string", default: "1,2,8,32" },
      seconds: { type: "string", default: "10" },
      history: { type: "string", default: "100000" },
      rounds: { type: "string", default: "3" },
      "idle-seconds": { type: "string", default: "30" },
      side: { type: "string" },
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return undefined;
  return {
    clients: values.clients.split(",").map(Number),
    seconds: Number(values.seconds),
    history: Number(values.history),
    rounds: Number(values.rounds),
    idleSeconds: Number(values["idle-seconds"]),
    sides:
      values.side === "prefect" || values.side === "lighterman" ? [values.side] : ["prefect", "lighterman"],
    json: values.json,
  };
}

/** One server under load. */
class Target {
  readonly #pool: Pool;
  readonly #path: string;
  #deploymentId = "";
  readonly #workPool = "bench";

  constructor(url: string) {
    const { origin, pathname } = new URL(url);
    this.#pool = new Pool(origin, { connections: 64, headersTimeout: 120_000, bodyTimeout: 120_000 });
    this.#path = pathname;
  }

  async post(path: string, body: unknown): Promise<{ status: number; text: string }> {
    const answer = await this.#pool.request({
      method: "POST",
      path: this.#path + path,
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    return { status: answer.statusCode, text: await answer.body.text() };
  }

  async #make(path: string, body: unknown): Promise<{ id: string }> {
    const { status, text } = await this.post(path, body);
    if (status >= 300) throw new Error(`POST ${path}: ${status} ${text}`);
    return JSON.parse(text) as { id: string };
  }

  async prepare(): Promise<void> {
    await this.#make("/work_pools/", { name: this.#workPool, type: "process" });
    const flow = await this.#make("/flows/", { name: "bench" });
    const deployment = await this.#make("/deployments/", {
      name: "bench",
      flow_id: flow.id,
      work_pool_name: this.#workPool,
      parameter_openapi_schema: {
        title: "Parameters",
        type: "object",
        properties: {
          n: { type: "integer", title: "n", position: 0 },
          text: { type: "string", title: "text", position: 1, default: "" },
        },
        required: ["n"],
      },
      enforce_parameter_schema: true,
    });
    this.#deploymentId = deployment.id;
  }

  /** One run from its creation to COMPLETED; a step that fails ends it. */
  async runOnce(
    call: (step: Step, path: string, body: unknown) => Promise<string | undefined>,
  ): Promise<void> {
    const created = await call("create", `/deployments/${this.#deploymentId}/create_flow_run`, {
      parameters: { n: 1, text: "bench" },
    });
    if (created === undefined) return;
    const { id } = JSON.parse(created) as { id: string };
    const due = new Date(Date.now() + 10_000).toISOString();
    await call("poll", `/work_pools/${this.#workPool}/get_scheduled_flow_runs`, { scheduled_before: due });
    for (const [step, type, name] of [
      ["claim", "PENDING", "Pending"],
      ["running", "RUNNING", "Running"],
      ["completed", "COMPLETED", "Completed"],
    ] as const) {
      const answer = await call(step, `/flow_runs/${id}/set_state`, { state: { type, name }, force: false });
      if (answer === undefined) return;
    }
  }

  async load(side: Side, clients: number, seconds: number, history: number): Promise<Outcome> {
    const times: Record<Step, number[]> = { create: [], poll: [], claim: [], running: [], completed: [] };
    let failed = 0;
    let answered = 0;
    const startedAt = performance.now();
    const endsAt = startedAt + seconds * 1000;
    const call = async (step: Step, path: string, body: unknown): Promise<string | undefined> => {
      const at = performance.now();
      try {
        const { status, text } = await this.post(path, body);
        times[step].push(performance.now() - at);
        if (status < 400) {
          answered += 1;
          return text;
        }
        if (status >= 500) failed += 1;
        else throw new TypeError(`POST ${path}: ${status} ${text}`);
      } catch (error) {
        if (error instanceof TypeError) throw error;
        failed += 1;
      }
      return undefined;
    };
    await Promise.all(
      Array.from({ length: clients }, async () => {
        while (performance.now() < endsAt) await this.runOnce(call);
      }),
    );
    const elapsedSeconds = (performance.now() - startedAt) / 1000;
    const all = STEPS.flatMap((step) => times[step]);
    const p99MsByStep = Object.fromEntries(
      STEPS.map((step) => [step, percentile(times[step], 0.99)]),
    ) as Record<Step, number>;
    return {
      side,
      clients,
      history,
      rate: answered / elapsedSeconds,
      p50Ms: percentile(all, 0.5),
      p99Ms: percentile(all, 0.99),
      requests: answered + failed,
      failed,
      p99MsByStep,
    };
  }

  /** Fills the store: one run in ten is left SCHEDULED for a far day, the others are COMPLETED. */
  async fill(count: number): Promise<void> {
    let left = count;
    let done = 0;
    await Promise.all(
      Array.from({ length: 32 }, async () => {
        while (left > 0) {
          left -= 1;
          const isScheduled = left % 10 === 0;
          const state = isScheduled
            ? { type: "SCHEDULED", state_details: { scheduled_time: "2199-01-01T00:00:00Z" } }
            : { type: "COMPLETED" };
          await this.#make(`/deployments/${this.#deploymentId}/create_flow_run`, {
            state,
            parameters: { n: left },
          });
          done += 1;
          if (done % 10_000 === 0) console.error(`  ${done} of ${count} runs`);
        }
      }),
    );
  }

  close(): Promise<void> {
    return this.#pool.destroy();
  }
}

function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

/** `npm run bench server`: requests per second of the embedded server beside a real one. */
export async function main(args: readonly string[]): Promise<void> {
  const plan = readPlan(args);
  if (plan === undefined) {
    console.log(USAGE);
    return;
  }
  const disposables = new AsyncDisposables();
  try {
    await measure(plan, disposables);
  } finally {
    await disposables.dispose();
  }
}

async function measure(plan: Plan, disposables: AsyncDisposables): Promise<void> {
  const outcomes: Outcome[] = [];
  const starts: Record<string, number> = {};
  const idle: Record<string, number> = {};
  const targets = new Map<Side, Target>();
  const open = async (side: Side): Promise<Target> => {
    const at = performance.now();
    const server = disposables.use(
      side === "prefect" ? await PrefectServer.start() : await EmbeddedServer.start(),
    );
    starts[side] ??= (performance.now() - at) / 1000;
    const target = new Target(server.url);
    disposables.defer(() => target.close());
    await target.prepare();
    return target;
  };
  for (const side of plan.sides) targets.set(side, await open(side));
  for (const [round, clients] of plan.clients.entries()) {
    const sides = round % 2 === 0 ? plan.sides : plan.sides.toReversed();
    for (const side of sides) {
      console.error(`${side}, ${clients} clients`);
      const outcome = await targets.get(side)?.load(side, clients, plan.seconds, 0);
      if (outcome !== undefined) outcomes.push(outcome);
    }
  }
  const ours = targets.get("lighterman");
  if (ours !== undefined && plan.history > 0) {
    console.error(`filling a store of ours with ${plan.history} runs`);
    const filled = await open("lighterman");
    await filled.fill(plan.history);
    outcomes.push(...(await compareHistories(plan, ours, filled)));
  }
  if (ours !== undefined) idle["lighterman, server and worker"] = await idleMebibytes(plan.idleSeconds);
  if (plan.json) console.log(JSON.stringify({ startSeconds: starts, idleMiB: idle, outcomes }, null, 2));
  else printOutcomes(outcomes, starts, idle);
}

/** The rounds of both stores by turns, so that both see the same machine: those of each that have the median rate. */
async function compareHistories(plan: Plan, few: Target, filled: Target): Promise<readonly Outcome[]> {
  const rounds: Outcome[] = [];
  for (let round = 0; round < plan.rounds; round += 1) {
    const turns = [
      { target: few, history: 0 },
      { target: filled, history: plan.history },
    ];
    for (const { target, history } of round % 2 === 0 ? turns : turns.toReversed()) {
      console.error(`lighterman, 8 clients, ${history === 0 ? "few" : history} runs, round ${round + 1}`);
      rounds.push(await target.load("lighterman", 8, plan.seconds, history));
    }
  }
  return [0, plan.history].flatMap((history) => {
    const rates = rounds.filter((one) => one.history === history).toSorted((a, b) => a.rate - b.rate);
    return rates[Math.floor(rates.length / 2)] ?? [];
  });
}

/** Resident memory of one process that is server and worker, after so many idle seconds. */
async function idleMebibytes(seconds: number): Promise<number> {
  await using home = await WorkerHome.create();
  const args = ["worker", "start", "--pool", "idle", "--port", String(await freePort())];
  await using worker = new TestProcess(process.execPath, [workerBundle, ...args], {
    cwd: home.path,
    env: home.env,
  });
  await worker.waitForLine(/Worker .* started/);
  await sleep(seconds * 1000);
  return residentBytes(worker.pid) / 2 ** 20;
}

function printOutcomes(
  outcomes: readonly Outcome[],
  starts: Readonly<Record<string, number>>,
  idle: Readonly<Record<string, number>>,
): void {
  console.log(
    "server      clients  history  requests/s   p50 ms   p99 ms  failed   p99 ms of create/poll/claim/running/completed",
  );
  for (const { side, clients, history, rate, p50Ms, p99Ms, requests, failed, p99MsByStep } of outcomes) {
    const steps = STEPS.map((step) => p99MsByStep[step].toFixed(0)).join("/");
    const share = `${((100 * failed) / Math.max(1, requests)).toFixed(0)} %`;
    console.log(
      `${side.padEnd(10)} ${String(clients).padStart(8)} ${String(history).padStart(8)} ${rate.toFixed(1).padStart(11)} ` +
        `${p50Ms.toFixed(1).padStart(8)} ${p99Ms.toFixed(1).padStart(8)} ${share.padStart(7)}   ${steps}`,
    );
  }
  for (const [side, seconds] of Object.entries(starts))
    console.log(`${side}: ready after ${seconds.toFixed(2)} s`);
  for (const [side, mib] of Object.entries(idle))
    console.log(`${side}: ${mib.toFixed(1)} MiB resident in one process when idle`);
  const best = Math.max(...outcomes.filter(({ side }) => side === "prefect").map(({ rate }) => rate));
  const at8 = outcomes.find(
    ({ side, clients, history }) => side === "lighterman" && clients === 8 && history === 0,
  );
  if (at8 === undefined) return;
  if (Number.isFinite(best)) {
    console.log(
      `ours with 8 clients is ${(at8.rate / best).toFixed(1)} × the real server's best rate (${best.toFixed(1)}/s)`,
    );
  }
  const later = outcomes.find(({ history }) => history > 0);
  const before = outcomes.at(-2); // measured by turns with it
  if (later !== undefined && before !== undefined) {
    console.log(
      `with ${later.history} runs in the store: ${(later.rate / before.rate).toFixed(2)} × the rate with few`,
    );
  }
}
