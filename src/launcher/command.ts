import { WorkerError } from "../errors.ts";

const WHITESPACE = " \t\r\n";

/**
 * Splits a configured `command` into program and arguments as Prefect does (protocol §3.4; Python's `shlex.split`): POSIX
 * quoting, no shell, no comments, no expansion. Throws LAUNCH_FAILED for an open quote, a final backslash or no word.
 */
export function splitCommand(command: string): readonly [string, ...string[]] {
  const words: string[] = [];
  let word: string | undefined;
  let quote: '"' | "'" | undefined;
  for (let at = 0; at < command.length; at += 1) {
    const char = command.charAt(at);
    if (char === "\\" && quote !== "'") {
      const next = command[at + 1];
      if (next === undefined) throw unsplittable(command, "it ends in a backslash");
      // Between double quotes a backslash only escapes a double quote and itself.
      word = (word ?? "") + (quote === '"' && next !== '"' && next !== "\\" ? char + next : next);
      at += 1;
    } else if (char === quote) {
      quote = undefined;
    } else if (quote === undefined && (char === '"' || char === "'")) {
      quote = char;
      word ??= "";
    } else if (quote === undefined && WHITESPACE.includes(char)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else {
      word = (word ?? "") + char;
    }
  }
  if (quote !== undefined) throw unsplittable(command, `a ${quote} is never closed`);
  if (word !== undefined) words.push(word);
  const [program, ...args] = words;
  if (program === undefined) throw unsplittable(command, "it is empty");
  return [program, ...args];
}

function unsplittable(command: string, problem: string): WorkerError {
  return new WorkerError(
    "LAUNCH_FAILED",
    `The command ${JSON.stringify(command)} cannot be split into words: ${problem}`,
    {
      hint: "Correct the job variable `command`; it is split as a POSIX shell does, without running a shell.",
    },
  );
}
