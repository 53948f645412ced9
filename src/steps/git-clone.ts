import { mkdir } from "node:fs/promises";
import { dirname, relative } from "node:path";

import { WorkerError } from "../errors.ts";
import { isPythonTruthy } from "../json/python.ts";
import { systemClock } from "../lifecycle/clock.ts";
import { warnAboutLfs } from "./git-checkout.ts";
import { readGitCloneInputs } from "./git-clone-inputs.ts";
import { gitCredentials, secretsOf } from "./git-credentials.ts";
import { isLasting } from "./git-progress.ts";
import { pullInto, resolveDestination } from "./git-destination.ts";
import { createGit } from "./git.ts";
import { withPathLock } from "./path-lock.ts";

import type { JsonObject } from "../json/value.ts";
import type { Clock } from "../lifecycle/clock.ts";
import type { GitAddress } from "./git-address.ts";
import type { NativeStep, StepContext, StepOutcome } from "./types.ts";

export interface GitCloneOptions {
  readonly clock?: Clock;
  /** 0 to 1, for the jitter of the delays. */
  readonly random?: () => number;
}

const PACKAGES = ["prefect.deployments.steps", "prefect.projects.steps"];
// `git_clone_project` is what 2.x called it; deployments of that time still hold it.
const FUNCTIONS = ["git_clone", "git_clone_project"];
const NAMES = PACKAGES.flatMap((path) =>
  FUNCTIONS.flatMap((name) => [`${path}.${name}`, `${path}.pull.${name}`]),
);

// Prefect's figures (prefect/_internal/retries.py), but for what is retried: there a wrong token, too.
const MAX_ATTEMPTS = 3;
const BASE_DELAY_MS = 1000;
const MAX_DELAY_MS = 10_000;
const JITTER = 0.3;

/**
 * Clones a git repository into the current directory, or brings the clone that is there up to date (protocol §5.2,
 * prefect/deployments/steps/pull.py, prefect/runner/storage.py: GitRepository). The output `directory` is relative to the
 * current directory. Credentials are told to git alone, in its environment, and only for the repository's own host.
 */
export const gitClone: NativeStep = createGitClone();

export function createGitClone({
  clock = systemClock,
  random = Math.random,
}: GitCloneOptions = {}): NativeStep {
  async function retry(work: () => Promise<void>, context: StepContext): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        await work();
        return;
      } catch (thrown) {
        context.signal.throwIfAborted();
        if (!(thrown instanceof WorkerError) || !thrown.retryable || attempt === MAX_ATTEMPTS) throw thrown;
        const delayMs = retryDelayMs(attempt, random());
        context.log.warn(
          `Attempt ${attempt} of ${MAX_ATTEMPTS} failed, trying again in ${(delayMs / 1000).toFixed(1)} s: ${thrown.message}`,
        );
        await clock.sleep(delayMs, context.signal);
      }
    }
  }

  async function run(inputs: JsonObject, context: StepContext): Promise<StepOutcome> {
    const { address, revision, accessToken, credentials, name } = readGitCloneInputs(inputs, context.log);
    const user = gitCredentials(address, { accessToken, credentials });
    const secrets = user === null ? [] : secretsOf(user);
    for (const secret of secrets) context.registerSecret(secret);
    warnAboutTransport(address, user !== null, accessToken !== null || isPythonTruthy(credentials), context);

    const into = resolveDestination(name, context.cwd);
    const git = createGit({
      url: address.url,
      env: context.env,
      credentials: user,
      ceiling: dirname(into),
      secrets,
      signal: context.signal,
      onLine: (line) => {
        if (isLasting(line)) context.log.output(line.trimEnd());
      },
    });
    await mkdir(dirname(into), { recursive: true });
    const lock = {
      clock,
      signal: context.signal,
      onWait: () => context.log.info(`Waiting for another clone into ${into}`),
    };
    await withPathLock(`${into}.lock`, lock, () =>
      retry(() => pullInto(git, revision, into, context), context),
    );
    await warnAboutLfs(git, into, context.log);
    return { outputs: { directory: relative(context.cwd, into) || "." } };
  }

  return { names: NAMES, run };
}

function retryDelayMs(attempt: number, random: number): number {
  const baseMs = Math.min(BASE_DELAY_MS * 2 ** (attempt - 1), MAX_DELAY_MS);
  return Math.round(baseMs * (1 - JITTER + 2 * JITTER * random));
}

function warnAboutTransport(
  address: GitAddress,
  hasUser: boolean,
  isGiven: boolean,
  { log }: StepContext,
): void {
  if (address.httpBase === null) {
    if (isGiven)
      log.warn("The credentials of git_clone are not used: they only count for http and https addresses");
    return;
  }
  if (hasUser && !/^(?:https:|http:\/\/(?:localhost|127\.[\d.]+|\[::1\])(?::\d+)?$)/.test(address.httpBase)) {
    log.warn("The credentials of git_clone travel unencrypted: the address is http, not https");
  }
}
