import { WorkerError } from "../errors.ts";

/** A place in a file; both count from 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** One thing that is wrong, or looks wrong, in a file that describes a project. */
export interface Problem {
  /** The file as the user named it. */
  readonly file: string;
  /** Absent when the file as a whole is meant. */
  readonly position?: Position | undefined;
  /** Where in the file's structure: `deployments[2].schedules[0].cron`; empty for the file as a whole. */
  readonly path: string;
  /** What was found, and what would be right. */
  readonly message: string;
}

/** `prefect.yaml:12:5: deployments[0].version: …`, the form that editors and hooks turn into links. */
export function describeProblem({ file, position, path, message }: Problem): string {
  const place = position === undefined ? file : `${file}:${position.line}:${position.column}`;
  return path === "" ? `${place}: ${message}` : `${place}: ${path}: ${message}`;
}

/** All problems of a project's file at once, in the file's order. Nothing has been registered when it is thrown. */
export class ProjectError extends WorkerError {
  override readonly name = "ProjectError";
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[], hint?: string, cause?: unknown) {
    const lines = problems.map((problem) => describeProblem(problem));
    super("PROJECT_INVALID", lines.join("\n"), { ...(hint === undefined ? {} : { hint }), cause });
    this.problems = problems;
  }
}

/** `["deployments", 0, "a.b"]` → `deployments[0].a.b`. */
export function pathText(path: readonly (string | number)[]): string {
  return path
    .map((part, index) => (typeof part === "number" ? `[${part}]` : index === 0 ? part : `.${part}`))
    .join("");
}
