import type { Reply } from "../http/reply.ts";
import type { Reader } from "../store/database.ts";

export interface BlockTypeRow {
  readonly id: string;
  readonly created: string;
  readonly updated: string;
  readonly name: string;
  readonly slug: string;
  readonly logo_url: string | null;
  readonly documentation_url: string | null;
  readonly description: string | null;
  readonly code_example: string | null;
  readonly is_protected: number;
}

export function findBlockType(reader: Reader, id: string): BlockTypeRow | undefined {
  return reader.get<BlockTypeRow>("SELECT * FROM block_type WHERE id = ?", id);
}

export function blockTypeReply(row: BlockTypeRow): Reply {
  return {
    id: row.id,
    created: row.created,
    updated: row.updated,
    name: row.name,
    slug: row.slug,
    logo_url: row.logo_url,
    documentation_url: row.documentation_url,
    description: row.description,
    code_example: row.code_example,
    is_protected: row.is_protected === 1,
  };
}
