import { join } from "node:path";
import { PassThrough } from "node:stream";

import { objectIn, requiredText } from "../api/fields.ts";
import { WorkerError } from "../errors.ts";
import { parseJson } from "../json/parse.ts";
import { isJsonObject } from "../json/value.ts";
import { packageRoot } from "../lifecycle/package-root.ts";
import { runTool } from "../steps/tool.ts";

import type { JsonObject } from "../json/value.ts";
import type { ToolResult } from "../steps/tool.ts";

/** What the deployment needs of a flow. */
export interface FlowInfo {
  readonly name: string;
  readonly description: string | null;
  /** The decorator's, else the MD5 of the file. */
  readonly version: string | null;
  readonly parameterSchema: JsonObject;
}

export interface FlowReaderOptions {
  /** Absolute path of the flows' interpreter. */
  readonly python: () => Promise<string>;
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
const END_GRACE_MS = 2000;

/**
 * Reads flows by their entrypoints (`path/file.py:function`, `package.module.function`), all in one process: imported with
 * the interpreter's Prefect, else from the source (protocol §8.2). The interpreter starts at once: importing Prefect takes a
 * second, in which others can do their part.
 */
export class FlowReader implements AsyncDisposable {
  readonly #questions = new PassThrough();
  readonly #answers = new Map<string, Answer>();
  readonly #ending = new AbortController();
  readonly #ended: Promise<ToolResult>;

  constructor(options: FlowReaderOptions) {
    this.#ended = this.#run(options);
    this.#ended.catch(() => undefined); // whoever reads hears of it
  }

  /**
   * An entrypoint that cannot be read gives a WorkerError (FLOW_UNREADABLE). Rejects when the interpreter cannot be started,
   * and with the signal's reason.
   */
  async read(entrypoints: readonly string[]): Promise<ReadonlyMap<string, FlowInfo | WorkerError>> {
    const reading = [...new Set(entrypoints)].map(
      async (entrypoint) => [entrypoint, await this.#read(entrypoint)] as const,
    );
    return new Map(await Promise.all(reading));
  }

  /** Nothing more will be read: the interpreter ends by itself. */
  end(): void {
    this.#questions.end();
  }

  /** Waits for the interpreter's end, and brings it about where a module keeps it alive, or nothing was asked. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.end();
    const timer = setTimeout(() => this.#ending.abort(), this.#answers.size === 0 ? 0 : END_GRACE_MS);
    await this.#ended.catch(() => undefined);
    clearTimeout(timer);
  }

  async #run({ python, cwd, env, signal, onLine, sourceOnly }: FlowReaderOptions): Promise<ToolResult> {
    return await runTool([await python(), SCRIPT, ...(sourceOnly === true ? ["--source"] : [])], {
      cwd,
      env: { ...env, PYTHONIOENCODING: "utf-8", PREFECT_LOGGING_TO_API_ENABLED: "false" },
      signal: AbortSignal.any([signal, this.#ending.signal]),
      input: this.#questions,
      onLine: (line, stream) => {
        if (stream === "stderr") onLine(line);
        else this.#hear(line);
      },
    });
  }

  async #read(entrypoint: string): Promise<FlowInfo | WorkerError> {
    let answer = this.#answers.get(entrypoint);
    if (answer === undefined) {
      answer = createAnswer();
      this.#answers.set(entrypoint, answer);
      this.#questions.write(`${JSON.stringify(entrypoint)}\n`);
    }
    const never = this.#ended.then(({ exitCode, stderr }) => {
      const why = `Python ended with status ${exitCode} while it was loaded`;
      return unreadable(entrypoint, why, stderr.trimEnd().split("\n").slice(-5).join("\n"));
    });
    return await Promise.race([answer.given, never]);
  }

  #hear(line: string): void {
    const { entrypoint, flow } = answerOf(line);
    this.#answers.get(entrypoint)?.give(flow);
  }
}

interface Answer {
  readonly given: Promise<FlowInfo | WorkerError>;
  give(flow: FlowInfo | WorkerError): void;
}

function createAnswer(): Answer {
  let give: Answer["give"] = () => undefined;
  const given = new Promise<FlowInfo | WorkerError>((resolve) => {
    give = resolve;
  });
  return { given, give };
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
}: Pick<FlowReaderOptions, "python" | "cwd" | "env" | "signal">): Promise<readonly FoundFlow[]> {
  const { stdout } = await runTool([await python(), SCRIPT, "--find"], {
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

/** The script's own line: a module's output goes elsewhere. */
function answerOf(line: string): { readonly entrypoint: string; readonly flow: FlowInfo | WorkerError } {
  const answer = objectIn(parseJson(line), "answer");
  const entrypoint = requiredText(answer, "entrypoint");
  const { name, description, version, parameters, error, trace } = answer;
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
