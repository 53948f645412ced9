import type { Json } from "../json/value.ts";
import type { ReferenceLookups } from "../steps/types.ts";
import type { WorkerApi } from "./ports.ts";

// Variables are no place for secrets, but people keep some there: what is called like one, and what looks like a token.
const SECRET_NAME = /pass|secret|token|key|cred|private|dsn/i;
const TOKEN = /^(?=.*\d)(?=.*[a-z])\S{16,}$/i;

/**
 * Block documents and variables of the API; each is read at most once per flow run. `onSecret` hears of the variables
 * that must not be shown (blocks are the templating's matter).
 */
export function apiLookups(
  api: Pick<WorkerApi, "readBlockDocumentByName" | "readBlockDocument" | "readVariable">,
  signal: AbortSignal,
  onSecret: (secret: string) => void,
): ReferenceLookups {
  const seen = new Map<string, Promise<Json | undefined>>();
  function once(key: string, read: () => Promise<Json | undefined>): Promise<Json | undefined> {
    const known = seen.get(key) ?? read();
    seen.set(key, known);
    return known;
  }
  return {
    block: (typeSlug, name) =>
      once(
        `${typeSlug}/${name}`,
        async () => (await api.readBlockDocumentByName(typeSlug, name, { signal }))?.data,
      ),
    blockById: (id) => once(id, async () => (await api.readBlockDocument(id, { signal }))?.data),
    variable: (name) =>
      once(`variable ${name}`, async () => {
        const value = await api.readVariable(name, { signal });
        if (typeof value === "string" && (SECRET_NAME.test(name) || TOKEN.test(value))) onSecret(value);
        return value;
      }),
  };
}
