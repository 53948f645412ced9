/** Shorter strings are never masked: they would hide half of every line. */
export const MIN_SECRET_LENGTH = 4;

/** A line of a multi-line secret (a PEM key, a kubeconfig) is masked on its own from this length on. */
const MIN_LINE_LENGTH = 8;

/** A piece of base64 that is not a whole value is only looked for from this length on. */
const MIN_BASE64_PIECE = 8;

const PEM_MARKER = /^-----[A-Z0-9 ]+-----$/;

/**
 * All texts under which a secret may show up: as it is, trimmed, line by line, JSON- and Python-escaped, URL-encoded in
 * the usual spellings, and as base64, also inside a longer base64 value such as a Basic auth header.
 */
export function secretForms(secret: string): ReadonlySet<string> {
  const forms = new Set<string>();
  if (secret.trim().length < MIN_SECRET_LENGTH) return forms;
  for (const text of new Set([secret, secret.trim(), ...secretLines(secret)])) {
    if (text.length < MIN_SECRET_LENGTH) continue;
    addTextForms(text, forms);
  }
  addBase64Forms(secret, forms);
  if (secret.trim() !== secret) addBase64Forms(secret.trim(), forms);
  return forms;
}

function secretLines(secret: string): readonly string[] {
  if (!secret.includes("\n")) return [];
  return secret
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line.length >= MIN_LINE_LENGTH && !PEM_MARKER.test(line));
}

function addTextForms(text: string, forms: Set<string>): void {
  const plain = [text, ...urlForms(text)];
  for (const form of plain) {
    for (const escaped of escapedForms(form)) {
      forms.add(escaped);
      // An escaped text inside a JSON log line is escaped once more.
      forms.add(jsonEscape(escaped));
    }
  }
}

function escapedForms(text: string): readonly string[] {
  const json = jsonEscape(text);
  return [
    text,
    json,
    json.replaceAll('\\"', '"'), // Python's repr() in single quotes
    json.replace(/[\u007f-\uffff]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`), // json.dumps
  ];
}

function jsonEscape(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}

function urlForms(text: string): readonly string[] {
  const wellFormed = Buffer.from(text).toString(); // encodeURIComponent throws on half a surrogate pair
  const component = encodeURIComponent(wellFormed);
  const strict = component.replace(
    /[!'()*~]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  const forms = [component, strict, strict.replaceAll("%7E", "~"), strict.replaceAll("%20", "+")];
  return [...forms, ...forms.map((form) => form.replace(/%[0-9A-F]{2}/g, (code) => code.toLowerCase()))];
}

function addBase64Forms(secret: string, forms: Set<string>): void {
  const bytes = Buffer.from(secret);
  const pieces = [bytes.toString("base64").replace(/=+$/, "")];
  for (const offset of [0, 1, 2]) {
    const shifted = Buffer.concat([Buffer.alloc(offset), bytes]);
    // Characters that also hold bits of a neighbour are left out.
    const piece = shifted
      .toString("base64")
      .slice(Math.ceil((offset * 8) / 6), Math.floor((shifted.length * 8) / 6));
    if (piece.length >= MIN_BASE64_PIECE) pieces.push(piece);
  }
  for (const piece of pieces) {
    forms.add(piece);
    forms.add(piece.replaceAll("+", "-").replaceAll("/", "_"));
  }
}
