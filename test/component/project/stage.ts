import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, request } from "node:http";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { onTestFinished } from "vitest";

import { startCli } from "../../support/cli.ts";
import { startApi } from "../server/api.ts";

import type { AddressInfo } from "node:net";
import type { CliOptions, CliResult, Keys, RunningCli } from "../../support/cli.ts";
import type { Api } from "../server/api.ts";

const FLOW = `from prefect import flow

@flow
def main(n: int = 1, name: str = "x"):
    "Counts."

@flow(name="The Reports")
def reports(): pass
`;

/** A project's directory, a server, and what was sent to it. */
export interface ProjectStage {
  readonly api: Api;
  readonly directory: string;
  /** PREFECT_API_URL of the commands. */
  readonly apiUrl: string;
  /** Method, path and body of every request that commands made. */
  readonly requests: readonly string[];
  readonly write: (files: Readonly<Record<string, string>>) => Promise<void>;
  /** Runs `lighterman …` in the directory. */
  readonly run: (...argv: readonly string[]) => Promise<CliResult>;
  /** The same without waiting for its end. */
  readonly start: (...argv: readonly string[]) => RunningCli;
  /** Runs it on a terminal on which those keys are pressed. */
  readonly answer: (keys: Keys, ...argv: readonly string[]) => Promise<CliResult>;
  /** Makes the block `secret/NAME`. */
  readonly saveSecret: (name: string, value: string) => Promise<void>;
  /** The deployment as the server has it. */
  readonly deployment: (flow: string, name: string) => ReturnType<Api["get"]>;
}

/** Opens a stage with a pool `pool`; everything ends with the test. */
export async function openProject(
  files: Readonly<Record<string, string>>,
  env: Readonly<Record<string, string>> = {},
): Promise<ProjectStage> {
  const api = await startApi();
  await api.post("/work_pools/", { name: "pool", type: "process" });
  const directory = await mkdtemp(join(tmpdir(), "project-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const { url, requests } = await recordingProxy(new URL(api.server.url));
  const write = async (more: Readonly<Record<string, string>>): Promise<void> => {
    for (const [path, text] of Object.entries(more)) {
      await mkdir(dirname(join(directory, path)), { recursive: true });
      await writeFile(join(directory, path), text);
    }
  };
  await write({ "flow.py": FLOW, ...files });
  const start = (argv: readonly string[], more: Pick<CliOptions, "stdin" | "keys"> = {}): RunningCli =>
    startCli(argv, {
      cwd: directory,
      apiUrl: `${url}/api`,
      env: { PATH: process.env["PATH"] ?? "", LIGHTERMAN_PYTHON: "python3", ...env },
      ...more,
    });
  return {
    api,
    directory,
    apiUrl: `${url}/api`,
    requests,
    write,
    run: (...argv) => start(argv).result,
    start: (...argv) => start(argv),
    answer: (keys, ...argv) => start(argv, { keys }).result,
    async saveSecret(name, value) {
      const { code, stderr } = await start(["block", "create", `secret/${name}`], {
        stdin: JSON.stringify({ value }),
      }).result;
      if (code !== 0) throw new Error(stderr);
    },
    deployment: (flow, name) => api.get(`/deployments/name/${encodeURIComponent(flow)}/${name}`),
  };
}

/** One deployment `one` of `flow.py:main` in the pool, with these lines. */
export function one(...lines: readonly string[]): string {
  const has = (key: string): boolean => lines.some((line) => line.startsWith(key));
  return [
    "deployments:",
    "  - name: one",
    ...(has("entrypoint") ? [] : ["    entrypoint: flow.py:main"]),
    ...(has("work_pool") ? [] : ["    work_pool: {name: pool}"]),
    ...lines.map((line) => `    ${line}`),
    "",
  ].join("\n");
}

async function recordingProxy(
  target: URL,
): Promise<{ readonly url: string; readonly requests: readonly string[] }> {
  const requests: string[] = [];
  const server = createServer((incoming, answer) => {
    const chunks: Buffer[] = [];
    incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
    incoming.on("end", () => {
      const { method = "", url = "", headers } = incoming;
      requests.push(`${method} ${url} ${Buffer.concat(chunks).toString()}`);
      const forwarded = request(
        { host: target.hostname, port: target.port, method, path: url, headers },
        (response) => {
          answer.writeHead(response.statusCode ?? 502, response.headers);
          response.pipe(answer);
        },
      );
      forwarded.on("error", () => answer.destroy());
      forwarded.end(Buffer.concat(chunks));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests };
}
