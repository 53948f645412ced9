import { WorkerError } from "../../errors.ts";

const UNITS: Readonly<Record<string, number>> = {
  b: 1,
  k: 1024,
  m: 1024 ** 2,
  g: 1024 ** 3,
  t: 1024 ** 4,
};

/**
 * Bytes of a size as docker-py writes it (docker/utils/utils.py: parse_bytes): `512m`, `1.5g`, `64kb`, a plain number, or -1
 * for no limit. Throws TEMPLATE_INVALID; `name` says which setting it was.
 */
export function byteSize(value: unknown, name: string): number {
  if (typeof value === "number") return Math.trunc(value);
  const [, digits, unit = "b"] =
    typeof value === "string" ? (/^\s*(-?\d+(?:\.\d+)?)\s*([bkmgt])?b?\s*$/i.exec(value) ?? []) : [];
  const factor = UNITS[unit.toLowerCase()];
  if (digits === undefined || factor === undefined) {
    throw new WorkerError(
      "TEMPLATE_INVALID",
      `The job variable ${name} is no size: ${JSON.stringify(value)}`,
      {
        hint: "Write a number of bytes, or one with a unit: 500k, 512m, 2g.",
      },
    );
  }
  return Math.trunc(Number(digits) * factor);
}
