import { WorkerError } from "../errors.ts";
import { closest } from "../project/closest.ts";

export interface Nameable {
  readonly id: string;
}

export interface Kind<T> {
  /** Such as "work pool". */
  readonly noun: string;
  readonly nameOf: (item: T) => string;
  /** The command that lists them. */
  readonly listedBy: string;
}

const SHORTEST_PART = 4;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

export function isUuid(text: string): boolean {
  return UUID.test(text);
}

/** Whether a text may stand for the id: all of it, its beginning, or its end, which differs more (ids begin with their time). */
export function isPartOfId(text: string, id: string): boolean {
  const part = text.toLowerCase();
  return part.length >= SHORTEST_PART && (id.startsWith(part) || id.endsWith(part));
}

/**
 * The one item that a name, an id or a part of an id stands for; a name comes first. Throws NOT_FOUND with the nearest name,
 * or USAGE where several would do.
 */
export function pickOne<T extends Nameable>(items: readonly T[], reference: string, kind: Kind<T>): T {
  const named = items.filter((item) => kind.nameOf(item) === reference);
  const found = named.length > 0 ? named : items.filter(({ id }) => isPartOfId(reference, id));
  const [first, ...others] = found;
  if (first === undefined) throw notFound(reference, items.map(kind.nameOf), kind);
  if (others.length > 0) {
    const list = found.map((item) => `${kind.nameOf(item)} (${item.id})`).join(", ");
    throw new WorkerError("USAGE", `'${reference}' may be more than one ${kind.noun}: ${list}`, {
      hint: "Give more of the id.",
    });
  }
  return first;
}

/** The error for something that does not exist, with what may have been meant. */
export function notFound(
  reference: string,
  names: readonly string[],
  { noun, listedBy }: Pick<Kind<unknown>, "noun" | "listedBy">,
): WorkerError {
  // A deployment goes by two names.
  const suggestion = closest(reference, names) ?? names.find((name) => name.split("/").includes(reference));
  return new WorkerError("NOT_FOUND", `There is no ${noun} '${reference}'`, {
    hint:
      suggestion === undefined
        ? `\`${listedBy}\` lists what there is.`
        : `Did you mean '${suggestion}'? \`${listedBy}\` lists what there is.`,
  });
}
