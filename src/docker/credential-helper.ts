import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { z } from "zod";

import { coerceError, WorkerError } from "../errors.ts";

import type { DockerEnvironment } from "./docker-config.ts";

const run = promisify(execFile);

const Answer = z.object({ ServerURL: z.string().default(""), Username: z.string(), Secret: z.string() });
const TIMEOUT_MS = 30_000;

/** What a `docker-credential-…` program knows of a registry; `username` is `<token>` for an identity token. */
export interface StoredLogin {
  readonly username: string;
  readonly secret: string;
}

/**
 * Asks `docker-credential-NAME get` (the protocol of docker-credential-helpers: the server on stdin, JSON on stdout). Undefined
 * when it knows nothing of this server. Rejects with IMAGE_UNAVAILABLE when it cannot be run, fails, or says nothing usable.
 */
export async function askCredentialHelper(
  name: string,
  server: string,
  env: DockerEnvironment,
): Promise<StoredLogin | undefined> {
  const program = `docker-credential-${name}`;
  const output = await call(program, "get", server, env).catch((thrown: unknown) => {
    const error = coerceError(thrown) as Error & { code?: unknown; stdout?: string; stderr?: string };
    const said = `${error.stdout ?? ""}${error.stderr ?? ""}`.trim();
    if (/credentials not found/i.test(said)) return undefined;
    const problem =
      error.code === "ENOENT"
        ? "there is no such program on the PATH"
        : said === ""
          ? error.message
          : (said.split("\n").at(-1) ?? said);
    throw new WorkerError("IMAGE_UNAVAILABLE", `${program} gave no login for ${server}: ${problem}`, {
      hint: "It is named in Docker's config.json (credsStore, credHelpers). Install it, repair it, or remove it there and run `docker login`.",
      cause: error,
    });
  });
  if (output === undefined) return undefined;
  const answer = Answer.safeParse(parse(output));
  if (!answer.success) {
    // Its output may be a secret, and is not repeated.
    throw new WorkerError(
      "IMAGE_UNAVAILABLE",
      `${program} gave no login for ${server}: its answer is not understood`,
      {
        hint: "Run it by hand: `echo SERVER | docker-credential-NAME get` must print JSON with Username and Secret.",
      },
    );
  }
  return { username: answer.data.Username, secret: answer.data.Secret };
}

/** The servers that `docker-credential-NAME list` has a login for; none when it cannot say. */
export async function listCredentialHelper(name: string, env: DockerEnvironment): Promise<readonly string[]> {
  const output = await call(`docker-credential-${name}`, "list", "", env).catch(() => "");
  const answer = z.record(z.string(), z.unknown()).safeParse(parse(output));
  return answer.success ? Object.keys(answer.data) : [];
}

async function call(program: string, verb: string, input: string, env: DockerEnvironment): Promise<string> {
  const running = run(program, [verb], { env: { ...env }, timeout: TIMEOUT_MS, maxBuffer: 1 << 20 });
  // It may end without reading.
  running.child.stdin?.on("error", () => undefined);
  running.child.stdin?.end(input);
  return (await running).stdout;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
