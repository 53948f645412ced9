import type { Json } from "../json/value.ts";
import type { ReferenceLookups } from "../steps/types.ts";
import type { WorkerApi } from "./ports.ts";

/** Block documents and variables of the API; each is read at most once per flow run. */
export function apiLookups(
  api: Pick<WorkerApi, "readBlockDocumentByName" | "readBlockDocument" | "readVariable">,
  signal: AbortSignal,
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
    variable: (name) => once(`variable ${name}`, () => api.readVariable(name, { signal })),
  };
}
