import { InvalidArgumentError } from "commander";

/** Reads a whole number that is not negative; for commander, which says which option or argument it was. */
export function wholeNumber(text: string): number {
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(Number(text))) {
    throw new InvalidArgumentError("It must be a whole number.");
  }
  return Number(text);
}
