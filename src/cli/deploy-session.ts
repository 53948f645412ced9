import { setMaxListeners } from "node:events";
import { resolve } from "node:path";

import { coerceError, WorkerError } from "../errors.ts";
import { deployProject } from "../project/deploy.ts";
import { findFlows } from "../project/flow-reader.ts";
import { lookAround } from "../project/init.ts";
import { changesBelow } from "../project/file-changes.ts";
import { describeProblem } from "../project/problem.ts";
import { readPrefectFile } from "../project/prefect-file.ts";
import { discoverPython } from "../steps/python.ts";
import { runProjectSteps } from "../steps/run-steps.ts";
import { environmentWith } from "../worker/environment.ts";
import { apiLookups } from "../worker/lookups.ts";
import { DeployConsole } from "./deploy-console.ts";
import { createDeployInterview } from "./deploy-interview.ts";
import { createDeployPrompts } from "./deploy-prompts.ts";
import { offerToSave } from "./deploy-saving.ts";
import { terminalOf } from "./confirm.ts";
import { untilInterrupted } from "./interrupt.ts";
import { isCloud, openSession } from "./session.ts";

import type { FlagValues } from "../config/flags.ts";
import type { WorkPool } from "../api/types.ts";
import type { DeployOverrides } from "../project/overrides.ts";
import type { PrefectFile } from "../project/prefect-file.ts";
import type { StepsOptions } from "../steps/run-steps.ts";
import type { StepLog } from "../steps/types.ts";
import type { CommandContext } from "./api-command.ts";
import type { Terminal } from "./deploy-prompts.ts";
import type { DeployFlags } from "./commands/deploy.ts";
import type { Io } from "./io.ts";
import type { Session } from "./session.ts";

/** What `lighterman deploy` does: reads the file, deploys, and tells how it went; with `--watch` again at every change. */
export async function runDeploy(
  context: CommandContext,
  entrypoint: string | undefined,
  flags: DeployFlags,
): Promise<void> {
  const { finish } = context;
  const io =
    flags.profile === undefined
      ? context.io
      : { ...context.io, env: { ...context.io.env, PREFECT_PROFILE: flags.profile } };
  const overrides = overridesOf(entrypoint, flags);
  const file = await fileOf(io, flags, overrides);
  const session = await openSession(io, settingsIn(flags));
  try {
    await untilInterrupted(context, async (signal) => {
      if (flags.watch === true) await deployAtChanges(io, session, flags, { overrides, file, signal });
      else finish(await run(io, session, flags, { overrides, file, signal }));
    });
  } finally {
    await session.close();
  }
}

async function deployAtChanges(io: Io, session: Session, flags: DeployFlags, first: Run): Promise<void> {
  const changes = changesBelow(io.cwd, first.signal);
  let { file } = first;
  for (;;) {
    try {
      file ??= await fileOf(io, flags, first.overrides);
      await run(io, session, flags, { ...first, file });
    } catch (thrown) {
      first.signal.throwIfAborted();
      const error = coerceError(thrown);
      io.stderr.write(`${session.redactor.redact(`Error: ${error.message}`)}\n`);
    }
    io.stderr.write("Waiting for changes; stop with Ctrl-C.\n");
    const { value } = await changes.next();
    io.stderr.write(`Changed: ${[...(value as ReadonlySet<string>)].slice(0, 5).join(", ")}\n`);
    file = undefined;
  }
}

interface Run {
  readonly overrides: DeployOverrides;
  readonly file: PrefectFile | undefined;
  readonly signal: AbortSignal;
}

async function run(
  io: Io,
  session: Session,
  flags: DeployFlags,
  { overrides, file, signal }: Run,
): Promise<number> {
  const { client, config, redactor } = session;
  const online = new Map<string, Promise<number>>();
  const screen = new DeployConsole({
    io,
    json: flags.json === true,
    redact: (text) => redactor.redact(text),
    uiUrl: pagesOf(session, io),
    async hasWorker(pool) {
      const known = online.get(pool) ?? client.countOnlineWorkers(pool, { signal });
      online.set(pool, known);
      return (await known) > 0;
    },
  });
  for (const warning of file?.warnings ?? []) screen.warning(describeProblem(warning));
  const onSecret = (secret: string): void => redactor.add(secret);
  const lookups = apiLookups(client, signal, onSecret);
  const pools = new Map<string, Promise<WorkPool | null>>();
  const repeated: NonNullable<StepsOptions["repeated"]> = new Map();
  const env = environmentWith(io.env, session.prefectSettings);
  const python = async (): Promise<string> =>
    (await discoverPython({ configured: config.python, env: io.env, signal })).path;
  const terminal =
    flags.json === true
      ? undefined
      : askable({ ...io, env: { ...session.prefectSettings, ...io.env } }, flags, signal);
  const environment = { cwd: io.cwd, env, signal };
  const questions =
    terminal === undefined
      ? undefined
      : createDeployPrompts({
          terminal,
          api: client.caller,
          findFlows: () => findFlows({ ...environment, python }),
        });
  const interview =
    terminal === undefined || flags.watch === true
      ? undefined
      : createDeployInterview({
          terminal,
          api: client.caller,
          cwd: io.cwd,
          lookAround: () => lookAround(environment),
          onSecret,
        });
  const deploying = deployProject({
    questions,
    interview,
    choose: questions?.choose,
    names: flags.name ?? [],
    all: flags.all === true,
    overrides,
    file,
    pace: { first: isCloud(config) ? 8 : 1, most: 8 },
    failFast: flags.failFast === true,
    dryRun: flags.dryRun === true,
    resolveBlocks: flags.resolveBlocks === true,
    isCloud: isCloud(config),
    defaultPool: config.deployments.defaultWorkPoolName,
    cwd: io.cwd,
    env,
    lookups,
    api: client,
    readServerVersion: () => client.readVersion({ signal }),
    signal,
    python,
    onSecret,
    onWarning: (message) => screen.warning(message),
    onNote: (message) => screen.note(message),
    report: screen,
    async readPool(name) {
      const agreed = questions?.agreedPool(name);
      if (agreed !== undefined) return agreed;
      const known = pools.get(name) ?? client.readWorkPool(name, { signal });
      pools.set(name, known);
      return await known;
    },
    runSteps: (kind, steps, outputs) =>
      runProjectSteps({
        kind,
        steps,
        outputs,
        cwd: io.cwd,
        env,
        lookups,
        python,
        signal,
        environmentsDir: config.environmentsDir,
        repeated,
        registerSecret: onSecret,
        log: stepLog(screen, session),
      }),
  });
  const outcomes = await deploying.catch((thrown: unknown) => {
    if (signal.aborted) screen.interrupted();
    throw thrown;
  });
  const [outcome] = outcomes;
  if (terminal !== undefined && interview !== undefined && outcomes.length === 1 && outcome !== undefined) {
    const path = resolve(io.cwd, flags.prefectFile ?? "prefect.yaml");
    try {
      const saved = await offerToSave(outcome, { terminal, path, cwd: io.cwd, file });
      if (saved !== undefined) screen.output(saved);
    } catch (thrown) {
      const error = coerceError(thrown);
      const hint = error instanceof WorkerError ? `\n${error.hint ?? ""}` : "";
      screen.warning(`The deployment is registered, but not saved: ${error.message}${hint}`);
      await screen.conclude(outcomes);
      return 1;
    }
  }
  return await screen.conclude(outcomes);
}

/** Root of the server's web pages (prefect/settings/models/root.py: default_ui_url). */
function pagesOf({ apiUrl, prefectSettings, config }: Session, io: Io): string {
  const configured = io.env["PREFECT_UI_URL"] ?? prefectSettings["PREFECT_UI_URL"];
  if (configured !== undefined && configured !== "") return configured.replace(/\/+$/, "");
  const cloud = config.cloud.apiUrl ?? "";
  const url = isCloud(config) ? apiUrl.replace(cloud, "https://app.prefect.cloud") : apiUrl;
  return url
    .replace(/\/+$/, "")
    .replace(/\/api$/, "")
    .replace("/api/", "/")
    .replace("/accounts/", "/account/")
    .replace("/workspaces/", "/workspace/");
}

/** The terminal, whose questions end with the signal. */
function askable(io: Io, flags: DeployFlags, signal: AbortSignal): Terminal | undefined {
  const terminal = terminalOf(io, flags);
  if (terminal === undefined) return undefined;
  const ends = AbortSignal.any([signal]);
  // Every question leaves a listener behind.
  setMaxListeners(0, ends);
  return { ...terminal, signal: ends };
}

function stepLog(screen: DeployConsole, { logger }: Session): StepLog {
  return {
    debug: (message) => logger.debug(message),
    info: (message) => screen.output(message),
    warn: (message) => screen.warning(message),
    error: (message) => screen.output(message),
    output: (line) => screen.output(line),
  };
}

/** Prefect does without the file when it is not there; so do we where the arguments say all, or no file was named. */
async function fileOf(
  io: Io,
  { prefectFile, prompt, json }: DeployFlags,
  { entrypoint }: DeployOverrides,
): Promise<PrefectFile | undefined> {
  const path = resolve(io.cwd, prefectFile ?? "prefect.yaml");
  const canAsk = json !== true && terminalOf(io, { prompt }) !== undefined;
  try {
    return await readPrefectFile(path, prefectFile ?? "prefect.yaml");
  } catch (thrown) {
    const isMissing = (coerceError(thrown).cause as NodeJS.ErrnoException | undefined)?.code === "ENOENT";
    if (isMissing && prefectFile === undefined && (entrypoint !== undefined || canAsk)) return undefined;
    throw thrown;
  }
}

function overridesOf(entrypoint: string | undefined, flags: DeployFlags): DeployOverrides {
  return {
    entrypoint,
    description: flags.description,
    version: flags.version,
    versionType: flags.versionType,
    tags: flags.tag,
    concurrencyLimit:
      flags.concurrencyLimit === undefined
        ? undefined
        : numberOf("--concurrency-limit", flags.concurrencyLimit),
    collisionStrategy: flags.collisionStrategy,
    pool: flags.pool,
    workQueue: flags.workQueue,
    jobVariables: flags.jobVariable,
    cron: flags.cron,
    interval: flags.interval?.map((text) => numberOf("--interval", text)),
    rrule: flags.rrule,
    anchorDate: flags.anchorDate,
    timezone: flags.timezone,
    triggers: flags.trigger,
    slas: flags.sla,
    param: flags.param,
    params: flags.params,
    enforceParameterSchema: flags.enforceParameterSchema === false ? false : undefined,
  };
}

// The worker has flags of the same names that mean something else.
const OF_THE_DEPLOYMENT: ReadonlySet<string> = new Set(["name", "pool", "workQueue", "version"]);

function settingsIn(flags: DeployFlags): FlagValues {
  return Object.fromEntries(Object.entries(flags).filter(([key]) => !OF_THE_DEPLOYMENT.has(key)));
}

function numberOf(flag: string, text: string): number {
  const number = Number(text);
  if (text.trim() === "" || !Number.isFinite(number)) {
    throw new WorkerError("USAGE", `${flag} takes a number, but this is '${text}'`);
  }
  return number;
}
