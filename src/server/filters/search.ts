import { condition, joined } from "./conditions.ts";

import type { Condition } from "./conditions.ts";

/** What a text search asks for, in lower case. */
export interface SearchedText {
  /** At least one of them. */
  readonly include: readonly string[];
  readonly exclude: readonly string[];
  readonly required: readonly string[];
}

const TERM = /([-!+]?)(?:"((?:\\.|[^"\\])*)"?|([^\s"]+))/g;

/** Reads a search as Prefect does: `error`, `error -debug`, `"connection timeout"`, `+required` (text_search_parser.py). */
export function searchedText(query: string): SearchedText {
  const terms = [...query.matchAll(TERM)]
    .map(([, sign = "", phrase, word = ""]) => ({
      sign,
      // A sign that stands alone is none.
      text: phrase === undefined ? word.replace(/^[-!+]$/, "") : phrase.replaceAll(/\\(["\\])/g, "$1"),
    }))
    .filter(({ text }) => text.trim() !== "")
    .map(({ sign, text }) => ({ sign, text: text.toLowerCase() }));
  const having = (...signs: readonly string[]): string[] =>
    terms.filter(({ sign }) => signs.includes(sign)).map(({ text }) => text);
  return { include: having(""), exclude: having("-", "!"), required: having("+") };
}

/** Where a text (SQL) holds what a search asks for. */
export function searchCondition(text: string, query: string): Condition {
  const { include, exclude, required } = searchedText(query);
  const holds = (term: string): Condition => condition(`instr(lower(${text}), ?) > 0`, term);
  return joined([
    ...(include.length === 0
      ? []
      : [
          joined(
            include.map((term) => holds(term)),
            "OR",
          ),
        ]),
    ...exclude.map((term) => condition(`instr(lower(${text}), ?) = 0`, term)),
    ...required.map((term) => holds(term)),
  ]);
}
