import { ApiError } from "../http/errors.ts";
import { stringifyJson } from "../../json/stringify.ts";

import type { Reader, Transaction } from "../store/database.ts";

const KEY = "server-default-result-storage";

/** The block in which flows keep their results when they say nothing else; null without one, or when it has been deleted. */
export function findResultStorage(reader: Reader): string | null {
  const row = reader.get<{ id: string }>(
    "SELECT d.id FROM configuration c JOIN block_document d ON d.id = json_extract(c.value, '$') WHERE c.key = ?",
    KEY,
  );
  return row?.id ?? null;
}

/** Sets it, or clears it by null. Throws a 404 for an unknown block, a 422 for one that results cannot be written to. */
export function setResultStorage(tx: Transaction, blockId: string | null): void {
  tx.run("DELETE FROM configuration WHERE key = ?", KEY);
  if (blockId === null) return;
  const block = tx.get<{ capabilities: string }>(
    "SELECT s.capabilities FROM block_document d JOIN block_schema s ON s.id = d.block_schema_id WHERE d.id = ?",
    blockId,
  );
  if (block === undefined) throw new ApiError(404, `Block document ${blockId} not found.`);
  if (!(JSON.parse(block.capabilities) as string[]).includes("write-path"))
    throw new ApiError(422, `Block document ${blockId} cannot be used for result storage.`);
  tx.run("INSERT INTO configuration (key, value) VALUES (?, ?)", KEY, stringifyJson(blockId));
}
