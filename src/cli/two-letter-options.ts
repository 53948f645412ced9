// `--variable` is the name of 2.x.
const LONG: Readonly<Record<string, string>> = {
  "-cl": "--concurrency-limit",
  "-jv": "--job-variable",
  "--variable": "--job-variable",
};
const OF_THE_SESSION: ReadonlySet<string> = new Set(["--prompt", "--no-prompt"]);

/**
 * A command line of `prefect deploy` and `prefect init` in the form that is parsed here: options of two letters by their long names (to a parser
 * of today they are two options), those of the session behind the command, `deploy init` as `init`.
 */
export function longOptions(argv: readonly string[]): readonly string[] {
  const at = argv.findIndex((word) => !OF_THE_SESSION.has(word));
  const [command, ...rest] = argv.slice(at);
  if (command !== "deploy" && command !== "init") return argv;
  const words = [...rest, ...argv.slice(0, at)];
  if (command === "init") return ["init", ...words];
  if (words[0] === "init") return ["init", ...words.slice(1)];
  return ["deploy", ...words.map((word) => LONG[word] ?? word)];
}
