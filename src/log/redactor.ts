import { isJsonObject } from "../json/value.ts";
import { NeedleIndex } from "./needle-index.ts";
import { MIN_SECRET_LENGTH, secretForms } from "./secret-forms.ts";
import { findUrlCredentials, unfinishedUrlFrom } from "./url-credentials.ts";

import type { Json } from "../json/value.ts";
import type { Span } from "./needle-index.ts";

/** What stands in the place of a secret (Prefect's own mask). */
export const MASK = "********";

/** Where secrets are registered: for good ({@link Redactor}), or for the life of one run ({@link SecretScope}). */
export interface SecretRegistry {
  /** Hides a value, in all its spellings, from now on. Values of fewer than 4 characters are ignored. */
  add(secret: string): void;
  /**
   * Hides what is secret in a block's data: under a key that sounds like a secret (and for a bare string) every text
   * from 4 characters on, under other keys every text from 8 on. Shorter ones (`main`, `true`, `default`) are words.
   */
  addFrom(json: Json): void;
}

/** Secrets of one run; `release` forgets them, unless somebody else registered them too. */
export interface SecretScope extends SecretRegistry {
  release(): void;
}

/** Masks a text that comes in pieces: what may be the beginning of a secret is held back until the next piece. */
export interface RedactionStream {
  write(chunk: string): string;
  /** The rest. The stream may be used again afterwards. */
  end(): string;
}

const SECRET_KEY =
  /pass|secret|token|key|cred|auth(?!or)|private|dsn|connection|cert|cookie|session|signature|^sas|^value$/i;
const MIN_PLAIN_LENGTH = 8;

// More than this is never held back, so that a hostile stream cannot make it grow.
const MAX_HELD_LENGTH = 1 << 20;

/** Registry of secrets and the one place that masks them. User-info in URLs is masked whether registered or not. */
export class Redactor implements SecretRegistry {
  readonly #index = new NeedleIndex();
  readonly #permanent = new Set<string>();

  add(secret: string): void {
    if (secret.length < MIN_SECRET_LENGTH || this.#permanent.has(secret)) return;
    this.#permanent.add(secret);
    for (const form of secretForms(secret)) this.#index.add(form);
  }

  addFrom(json: Json): void {
    for (const secret of secretsIn(json)) this.add(secret);
  }

  /** Secrets that are only known for a while; without it a worker that lives for months would collect them all. */
  scope(): SecretScope {
    const index = this.#index;
    const held = new Set<string>();
    const add = (secret: string): void => {
      if (secret.length < MIN_SECRET_LENGTH || held.has(secret)) return;
      held.add(secret);
      for (const form of secretForms(secret)) index.add(form);
    };
    return {
      add,
      addFrom: (json) => {
        for (const secret of secretsIn(json)) add(secret);
      },
      release: () => {
        for (const secret of held) for (const form of secretForms(secret)) index.remove(form);
        held.clear();
      },
    };
  }

  /** The text with every registered secret and every URL's user-info masked. Linear in the length of the text. */
  redact(text: string): string {
    return mask(text, this.#spans(text));
  }

  createStream(): RedactionStream {
    let held = "";
    return {
      write: (chunk) => {
        const text = held + chunk;
        const spans = this.#spans(text);
        let cut = Math.min(this.#index.unfinishedFrom(text), unfinishedUrlFrom(text));
        // A secret that reaches into the held part stays whole.
        for (const span of spans.toReversed()) if (span.start < cut && span.end > cut) cut = span.start;
        if (text.length - cut > MAX_HELD_LENGTH) cut = text.length;
        held = text.slice(cut);
        return mask(
          text.slice(0, cut),
          spans.filter((span) => span.end <= cut),
        );
      },
      end: () => {
        const rest = this.redact(held);
        held = "";
        return rest;
      },
    };
  }

  /** Merged and in order. */
  #spans(text: string): Span[] {
    const spans = [...this.#index.find(text), ...findUrlCredentials(text)];
    if (spans.length < 2) return spans;
    spans.sort((a, b) => a.start - b.start);
    const merged: { start: number; end: number }[] = [];
    for (const { start, end } of spans) {
      const last = merged.at(-1);
      if (last !== undefined && start < last.end) last.end = Math.max(last.end, end);
      else merged.push({ start, end });
    }
    return merged;
  }
}

function mask(text: string, spans: readonly Span[]): string {
  if (spans.length === 0) return text;
  let masked = "";
  let from = 0;
  for (const { start, end } of spans) {
    masked += text.slice(from, start) + MASK;
    from = end;
  }
  return masked + text.slice(from);
}

function* secretsIn(json: Json, isSecret = typeof json === "string"): Generator<string> {
  if (typeof json === "string") {
    if (json.length >= (isSecret ? MIN_SECRET_LENGTH : MIN_PLAIN_LENGTH)) yield json;
  } else if (typeof json === "number" || typeof json === "bigint") {
    if (isSecret) yield String(json);
  } else if (isJsonArray(json)) {
    for (const item of json) yield* secretsIn(item, isSecret);
  } else if (isJsonObject(json)) {
    for (const [key, value] of Object.entries(json))
      yield* secretsIn(value, isSecret || SECRET_KEY.test(key));
  }
}

// Array.isArray does not narrow readonly arrays.
function isJsonArray(json: Json): json is readonly Json[] {
  return Array.isArray(json);
}
