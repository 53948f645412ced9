const LONG: Readonly<Record<string, string>> = { "-cl": "--concurrency-limit", "-jv": "--job-variable" };

/** Options of two letters that `prefect deploy` has, in their long form: to a parser of today they are two options. */
export function longOptions(argv: readonly string[]): readonly string[] {
  return argv[0] === "deploy" ? argv.map((word) => LONG[word] ?? word) : argv;
}
