import { join } from "node:path";

import { coerceError, WorkerError } from "../errors.ts";
import { parseJson } from "../json/parse.ts";
import { isJsonObject } from "../json/value.ts";
import { packageRoot } from "../lifecycle/package-root.ts";
import { runTool } from "../steps/tool.ts";

import type { Json, JsonObject } from "../json/value.ts";

/** What the deployment needs of a flow. */
export interface FlowInfo {
  readonly name: string;
  readonly description: string | null;
  /** The decorator's, else the MD5 of the file. */
  readonly version: string | null;
  readonly parameterSchema: JsonObject;
}

export interface ReadFlowsOptions {
  /** Absolute path of the flows' interpreter. */
  readonly python: string;
  /** Relative paths of entrypoints, and modules, count from here. */
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  /** Ends the interpreter. */
  readonly signal: AbortSignal;
  /** What the flows' modules print while they are imported. */
  readonly onLine: (line: string) => void;
  /** Read the source and run nothing of it. */
  readonly sourceOnly?: boolean;
}

const SCRIPT = join(packageRoot, "src", "project", "flow_reader.py");

/**
 * Reads flows by their entrypoints (`path/file.py:function`, `package.module.function`), all in one process: imported with
 * the interpreter's Prefect, else from the source (protocol §8.2). An entrypoint that cannot be read gives a WorkerError (FLOW_UNREADABLE).
 * Rejects with one when the interpreter itself fails.
 */
export async function readFlows(
  entrypoints: readonly string[],
  options: ReadFlowsOptions,
): Promise<ReadonlyMap<string, FlowInfo | WorkerError>> {
  const wanted = [...new Set(entrypoints)];
  if (wanted.length === 0) return new Map();
  const { python, cwd, env, signal, onLine, sourceOnly } = options;
  const words = sourceOnly === true ? ["--source", ...wanted] : wanted;
  const { stdout, stderr, exitCode } = await runTool([python, SCRIPT, ...words], {
    cwd,
    env: { ...env, PYTHONIOENCODING: "utf-8", PREFECT_LOGGING_TO_API_ENABLED: "false" },
    signal,
    onLine: (line, stream) => {
      if (stream === "stderr") onLine(line);
    },
  });
  const found = new Map<string, FlowInfo | WorkerError>();
  for (const line of stdout.split("\n")) {
    const answer = line === "" ? null : answerOf(line);
    if (answer !== null) found.set(answer.entrypoint, answer.flow);
  }
  for (const entrypoint of wanted) {
    if (found.has(entrypoint)) continue;
    const why = `Python ended with status ${exitCode} while it was loaded`;
    found.set(entrypoint, unreadable(entrypoint, why, stderr.trimEnd().split("\n").slice(-5).join("\n")));
  }
  return found;
}

/** A flow's entrypoint, and its name. */
export interface FoundFlow {
  readonly entrypoint: string;
  readonly name: string;
}

/** The flows below a directory, by their source; nothing of it is run. In the order of files and lines. */
export async function findFlows({
  python,
  cwd,
  env,
  signal,
}: Pick<ReadFlowsOptions, "python" | "cwd" | "env" | "signal">): Promise<readonly FoundFlow[]> {
  const { stdout } = await runTool([python, SCRIPT, "--find"], {
    cwd,
    env: { ...env, PYTHONIOENCODING: "utf-8" },
    signal,
  });
  return stdout.split("\n").flatMap((line) => {
    const found = line === "" ? null : parseJson(line);
    if (!isJsonObject(found)) return [];
    const { entrypoint, name } = found;
    return typeof entrypoint === "string" && typeof name === "string" ? [{ entrypoint, name }] : [];
  });
}

function answerOf(
  line: string,
): { readonly entrypoint: string; readonly flow: FlowInfo | WorkerError } | null {
  let answer: Json;
  try {
    answer = parseJson(line);
  } catch (thrown) {
    throw new WorkerError("FLOW_UNREADABLE", `The flow reader's answer is no JSON: ${line.slice(0, 200)}`, {
      cause: coerceError(thrown),
    });
  }
  if (!isJsonObject(answer) || typeof answer["entrypoint"] !== "string") return null;
  const { entrypoint, name, description, version, parameters, error, trace } = answer;
  if (typeof error === "string") {
    return { entrypoint, flow: unreadable(entrypoint, error, typeof trace === "string" ? trace : "") };
  }
  return {
    entrypoint,
    flow: {
      name: typeof name === "string" ? name : "",
      description: typeof description === "string" && description !== "" ? description : null,
      version: typeof version === "string" ? version : null,
      parameterSchema: isJsonObject(parameters) ? parameters : {},
    },
  };
}

function unreadable(entrypoint: string, why: string, detail: string): WorkerError {
  return new WorkerError(
    "FLOW_UNREADABLE",
    `The flow '${entrypoint}' cannot be read: ${why}${detail === "" ? "" : `\n${detail.replaceAll(/^/gm, "    ")}`}`,
    { hint: "Check the entrypoint, and that its file can be imported by the flows' Python (--python)." },
  );
}
