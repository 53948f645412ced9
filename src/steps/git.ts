import { StepError } from "./errors.ts";
import { gitFailure } from "./git-failure.ts";
import { runTool } from "./tool.ts";

import type { GitCredentials } from "./git-credentials.ts";
import type { ToolResult } from "./tool.ts";

export interface GitOptions {
  /** Shown in errors; without user-info. */
  readonly url: string;
  /** Environment of the flow run; git's own settings in it (GIT_SSL_CAINFO, GIT_SSH_COMMAND…) count. */
  readonly env: Readonly<Record<string, string>>;
  readonly credentials: GitCredentials | null;
  /** Git looks for a repository in no directory above those in this one: a broken clone must not lead it to another. */
  readonly ceiling: string;
  /** Texts that must not stand in an error. */
  readonly secrets: readonly string[];
  /** Ends git and all that it has started. */
  readonly signal: AbortSignal;
  readonly onLine?: (line: string) => void;
  /** Git is ended when it says nothing for so long; it reports progress all the time. */
  readonly silenceMs?: number;
}

/** Git as this worker runs it: no prompts, English messages, credentials in nothing but its environment. */
export interface Git {
  /** Any exit code is a result. */
  attempt(args: readonly string[], cwd: string): Promise<ToolResult>;
  /** Answers stdout, trimmed; rejects with a StepError that says why git failed. */
  run(args: readonly string[], cwd: string): Promise<string>;
  /** The StepError for a result of {@link attempt}. */
  failure(result: ToolResult): StepError;
}

const SILENCE_MS = 600_000;

export function createGit(options: GitOptions): Git {
  const env = {
    ...gitEnvironment(options.env, options.credentials),
    GIT_CEILING_DIRECTORIES: options.ceiling,
  };
  const silenceMs = options.silenceMs ?? SILENCE_MS;

  async function attempt(args: readonly string[], cwd: string): Promise<ToolResult> {
    const silence = new AbortController();
    const timer = setTimeout(() => silence.abort(silenceError(options.url, silenceMs)), silenceMs);
    try {
      return await runTool(["git", ...args], {
        cwd,
        env,
        signal: AbortSignal.any([options.signal, silence.signal]),
        onLine(line, stream) {
          timer.refresh();
          if (stream === "stderr") options.onLine?.(line);
        },
      });
    } finally {
      clearTimeout(timer);
    }
  }

  function failure(result: ToolResult): StepError {
    return gitFailure(options.url, result, options.secrets);
  }

  return {
    attempt,
    failure,
    async run(args, cwd) {
      const result = await attempt(args, cwd);
      if (result.exitCode !== 0) throw failure(result);
      return result.stdout.trim();
    },
  };
}

function silenceError(url: string, silenceMs: number): StepError {
  return new StepError(`git said nothing for ${silenceMs / 1000} s while it cloned repository '${url}'`, {
    retryable: true,
    hint: "The connection to the server hangs: check network, proxy and firewall.",
  });
}

// Git says of these that they belong to one repository (`git rev-parse --local-env-vars`); the worker's own is none of ours.
const LOCAL_VARIABLES = new Set([
  "GIT_ALTERNATE_OBJECT_DIRECTORIES",
  "GIT_COMMON_DIR",
  "GIT_DIR",
  "GIT_GRAFT_FILE",
  "GIT_IMPLICIT_WORK_TREE",
  "GIT_INDEX_FILE",
  "GIT_NAMESPACE",
  "GIT_OBJECT_DIRECTORY",
  "GIT_PREFIX",
  "GIT_QUARANTINE_PATH",
  "GIT_SHALLOW_FILE",
  "GIT_WORK_TREE",
]);

/**
 * The environment of git: that of the flow run, without prompts, and with our configuration behind the user's own. The
 * credentials travel in two variables, which a helper in the configuration reads when the server asks. A header
 * (`http.<base>.extraHeader`) would spare that question, but git 2.39 also sends it to the host of a redirect.
 */
export function gitEnvironment(
  env: Readonly<Record<string, string>>,
  credentials: GitCredentials | null,
): Record<string, string> {
  const own = Object.fromEntries(Object.entries(env).filter(([name]) => !LOCAL_VARIABLES.has(name)));
  const inherited = Number(own["GIT_CONFIG_COUNT"] ?? "0");
  const start = Number.isInteger(inherited) && inherited > 0 ? inherited : 0;
  const settings = [...SETTINGS, ...credentialSettings(credentials)];
  const config: Record<string, string> = { GIT_CONFIG_COUNT: String(start + settings.length) };
  for (const [index, [key, value]] of settings.entries()) {
    config[`GIT_CONFIG_KEY_${start + index}`] = key;
    config[`GIT_CONFIG_VALUE_${start + index}`] = value;
  }
  return {
    // A dead connection costs two minutes; the server's keep-alive comes every five seconds.
    GIT_HTTP_LOW_SPEED_LIMIT: "1",
    GIT_HTTP_LOW_SPEED_TIME: "120",
    // Without a terminal (we start git in a session of its own) ssh could still ask in a window. GIT_SSH_COMMAND with
    // BatchMode would do the same, but would also hide the user's core.sshCommand.
    ...(own["SSH_ASKPASS"] === undefined ? { SSH_ASKPASS_REQUIRE: "never" } : {}),
    ...own,
    GIT_TERMINAL_PROMPT: "0",
    LC_ALL: "C.UTF-8",
    LANGUAGE: "",
    ...config,
    ...(credentials === null ? {} : credentialVariables(credentials)),
  };
}

type GitSetting = readonly [key: string, value: string];

// A deployment's address must not run commands; `fd` is as harmless as useless.
const SETTINGS: readonly GitSetting[] = [
  ["protocol.ext.allow", "never"],
  ["protocol.fd.allow", "never"],
];

const USERNAME = "LIGHTERMAN_GIT_USERNAME";
const PASSWORD = "LIGHTERMAN_GIT_PASSWORD";
const HELPER = `!f() { test "$1" != get || printf 'username=%s\\npassword=%s\\n' "$${USERNAME}" "$${PASSWORD}"; }; f`;

function credentialSettings(credentials: GitCredentials | null): GitSetting[] {
  if (credentials === null) return [];
  const { httpBase, username, password } = credentials;
  const helper = [`credential.${httpBase}.helper`, HELPER] as const;
  if (password === null) return [[`credential.${httpBase}.username`, username], helper];
  // The empty one forgets the user's own helpers for this host: they would answer first, and store what worked.
  return [[helper[0], ""], helper];
}

function credentialVariables({ username, password }: GitCredentials): Record<string, string> {
  return { [USERNAME]: username, [PASSWORD]: password ?? "" };
}
