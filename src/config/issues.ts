import { WorkerError } from "../errors.ts";

/** One thing that is wrong with the settings. */
export interface ConfigIssue {
  /** The setting's key, or the file when the whole file is unreadable. */
  readonly key: string;
  /** Where the value came from, such as "environment variable PREFECT_API_URL". */
  readonly source: string;
  /** What stood there, shortened, secrets masked; undefined when nothing did. */
  readonly found: string | undefined;
  /** What should have stood there. */
  readonly expected: string;
}

/** All problems of the settings at once; never holds the value of a secret. */
export class ConfigError extends WorkerError {
  override readonly name = "ConfigError";
  readonly issues: readonly ConfigIssue[];

  constructor(issues: readonly ConfigIssue[]) {
    const lines = issues.map(describeIssue);
    const [first = "unknown problem"] = lines;
    super(
      "CONFIG_INVALID",
      lines.length === 1
        ? `Wrong setting: ${first}`
        : `${lines.length} settings are wrong:\n${lines.map((line) => `  - ${line}`).join("\n")}`,
      { hint: "Correct what is named above; README and config.example.yaml list every setting." },
    );
    this.issues = issues;
  }
}

function describeIssue({ key, source, found, expected }: ConfigIssue): string {
  return `${key} (${source})${found === undefined ? "" : ` is ${found}`}: expected ${expected}`;
}

const LONGEST_SHOWN = 80;

/** A value as an error message may show it. Passwords in URLs and Prefect's API keys are hidden wherever they stand. */
export function showValue(raw: unknown, isSecret: boolean): string {
  if (isSecret) return "***";
  const text =
    JSON.stringify(raw, (_, value: unknown) => (typeof value === "bigint" ? String(value) : value)) ??
    String(raw);
  const masked = text.replaceAll(/\/\/[^/@\s"]*@/g, "//***@").replaceAll(/pn[ub]_\w+/g, "***");
  return masked.length > LONGEST_SHOWN ? `${masked.slice(0, LONGEST_SHOWN)}…` : masked;
}
