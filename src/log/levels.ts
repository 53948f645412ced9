/** Levels of our own logger; the names are pino's. */
export type LogLevel = "trace" | "debug" | "info" | "warn" | "error" | "fatal" | "silent";

interface LevelNames {
  /** Python's number, as `POST /logs/` wants it. */
  readonly python: number;
  /** Python's name, as Prefect's console shows it. */
  readonly label: string;
}

export const LEVELS: Readonly<Record<Exclude<LogLevel, "silent">, LevelNames>> = {
  trace: { python: 5, label: "TRACE" },
  debug: { python: 10, label: "DEBUG" },
  info: { python: 20, label: "INFO" },
  warn: { python: 30, label: "WARNING" },
  error: { python: 40, label: "ERROR" },
  fatal: { python: 50, label: "CRITICAL" },
};

/** Reads `PREFECT_LOGGING_LEVEL` (Python's names, any case) or one of our own names; undefined when it is neither. */
export function parseLogLevel(text: string): LogLevel | undefined {
  const wanted = text.trim().toLowerCase();
  if (wanted === "silent") return "silent";
  if (wanted === "notset") return "trace";
  for (const [level, names] of Object.entries(LEVELS)) {
    if (wanted === level || wanted === names.label.toLowerCase()) return level as LogLevel;
  }
  return undefined;
}
