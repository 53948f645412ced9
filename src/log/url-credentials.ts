import type { Span } from "./needle-index.ts";

const AT = 64;
const SLASH = 47;
const MAX_AUTHORITY_LENGTH = 4096;
// Only these name a user that is no secret by itself (`ssh://git@host`).
const LOGIN_SCHEMES = /(?:ssh|sftp|rsync)$/i;

/** The user-info of every URL in a text (`x:y` of `https://x:y@host`), without the `@`. */
export function findUrlCredentials(text: string): Span[] {
  const spans: Span[] = [];
  for (let at = text.indexOf("://"); at !== -1; at = text.indexOf("://", at + 3)) {
    const start = at + 3;
    const end = userInfoEnd(text, start);
    if (end <= start) continue;
    const isLogin =
      !text.slice(start, end).includes(":") && LOGIN_SCHEMES.test(text.slice(Math.max(0, at - 8), at));
    if (!isLogin) spans.push({ start, end });
  }
  return spans;
}

/** Where a URL begins at the end of the text whose user-info may go on; the text's length when there is none. */
export function unfinishedUrlFrom(text: string): number {
  const at = text.lastIndexOf("://");
  if (at !== -1 && text.length - at < MAX_AUTHORITY_LENGTH) {
    let index = at + 3;
    while (index < text.length && !endsUrl(text.charCodeAt(index))) index += 1;
    if (index === text.length) return at - schemeLength(text.slice(Math.max(0, at - 16), at));
  }
  const colon = /:\/?$/.exec(text)?.index;
  if (colon === undefined) return text.length;
  return colon - schemeLength(text.slice(Math.max(0, colon - 16), colon));
}

function schemeLength(text: string): number {
  return /[a-z][a-z0-9+.-]*$/i.exec(text)?.[0].length ?? 0;
}

function userInfoEnd(text: string, start: number): number {
  let lastAt = -1;
  let end = start;
  const limit = Math.min(text.length, start + MAX_AUTHORITY_LENGTH);
  for (; end < limit; end += 1) {
    const code = text.charCodeAt(end);
    if (endsAuthority(code)) break;
    if (code === AT) lastAt = end;
  }
  if (lastAt !== -1) return lastAt;
  // A password with a bare `/`, `?` or `#`: what follows the colon cannot be a port then.
  if (!/^[^[\]:]+:\D/.test(text.slice(start, end))) return -1;
  for (; end < limit; end += 1) {
    const code = text.charCodeAt(end);
    if (endsUrl(code)) break;
    if (code === AT) return end;
    // The next URL has its own user-info.
    if (code === SLASH && text.startsWith("://", end - 1)) break;
  }
  return -1;
}

function endsAuthority(code: number): boolean {
  return code === SLASH || code === 63 /* ? */ || code === 35 /* # */ || endsUrl(code);
}

/** White space, quotes, angle brackets, back-quote, backslash. */
function endsUrl(code: number): boolean {
  return code <= 32 || code === 34 || code === 39 || code === 60 || code === 62 || code === 92 || code === 96;
}
