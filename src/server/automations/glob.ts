/** Says whether a text matches a pattern. */
type Matcher = (text: string) => boolean;

const MAX_MATCHERS = 1000;
const matchers = new Map<string, Matcher>();

/** Whether `text` as a whole matches a shell pattern, as Python's fnmatchcase: `*`, `?`, `[abc]`, `[a-z]`, `[!abc]`. */
export function isGlobMatch(text: string, pattern: string): boolean {
  let matcher = matchers.get(pattern);
  if (matcher === undefined) {
    if (matchers.size >= MAX_MATCHERS) matchers.clear();
    matcher = compile(pattern);
    matchers.set(pattern, matcher);
  }
  return matcher(text);
}

function compile(pattern: string): Matcher {
  if (!/[*?[]/.test(pattern)) return (text) => text === pattern;
  if (/^[^*?[]*\*$/.test(pattern)) {
    const prefix = pattern.slice(0, -1);
    return (text) => text.startsWith(prefix);
  }
  const expression = new RegExp(`^(?:${translate(Array.from(pattern))})$`, "su");
  return (text) => expression.test(text);
}

function translate(characters: readonly string[]): string {
  let source = "";
  for (let at = 0; at < characters.length; at += 1) {
    const character = characters[at] ?? "";
    if (character === "*") source += ".*";
    else if (character === "?") source += ".";
    else if (character === "[") {
      const end = endOfSet(characters, at + 1);
      if (end === undefined) source += "\\[";
      else {
        source += translateSet(characters.slice(at + 1, end));
        at = end;
      }
    } else source += escapeText(character);
  }
  return source;
}

/** Where the `]` of a set is; one that stands first belongs to the set. Undefined: the `[` is a character like any other. */
function endOfSet(characters: readonly string[], start: number): number | undefined {
  const first = characters[start] === "!" ? start + 1 : start;
  const end = characters.indexOf("]", first + 1);
  return end === -1 ? undefined : end;
}

function translateSet(set: readonly string[]): string {
  const isNegated = set[0] === "!";
  const members = isNegated ? set.slice(1) : set;
  const ranges: string[] = [];
  for (let at = 0; at < members.length; at += 1) {
    const from = members[at] ?? "";
    const to = members[at + 2];
    if (members[at + 1] !== "-" || to === undefined) ranges.push(escapeMember(from));
    else {
      // A range that runs backwards holds nothing.
      if (codePoint(from) <= codePoint(to)) ranges.push(`${escapeMember(from)}-${escapeMember(to)}`);
      at += 2;
    }
  }
  if (ranges.length === 0) return isNegated ? "." : "(?!)";
  return `[${isNegated ? "^" : ""}${ranges.join("")}]`;
}

function codePoint(character: string): number {
  return character.codePointAt(0) ?? 0;
}

/** Escapes a text for the place of a pattern in a regular expression. */
export function escapeText(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|/]/g, String.raw`\$&`);
}

function escapeMember(character: string): string {
  return /[\\\]^[-]/.test(character) ? `\\${character}` : character;
}
