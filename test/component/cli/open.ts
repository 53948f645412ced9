import { runCli } from "../../support/cli.ts";
import { startApi } from "../server/api.ts";

import type { CliOptions, CliResult } from "../../support/cli.ts";
import type { Api } from "../server/api.ts";

/** Runs a command line: a list of words, or a text in which blanks within single quotes part no words. */
export type Run = (line: string | readonly string[], options?: CliOptions) => Promise<CliResult>;

/** An embedded server, and the product's commands against it. */
export async function open(): Promise<{
  readonly api: Api;
  readonly run: Run;
  readonly options: CliOptions;
}> {
  const api = await startApi();
  const options = { apiUrl: api.server.apiUrl };
  return {
    api,
    options,
    run: (line, more) => runCli(typeof line === "string" ? wordsOf(line) : line, { ...options, ...more }),
  };
}

function wordsOf(line: string): string[] {
  return (line.match(/(?:'[^']*'|[^\s'])+/g) ?? []).map((word) => word.replaceAll("'", ""));
}
