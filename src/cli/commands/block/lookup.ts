import {
  findBlock,
  findBlockById,
  findBlockType,
  listBlocks,
  listBlockTypes,
} from "../../../api/manage/blocks.ts";
import { WorkerError } from "../../../errors.ts";
import { isUuid, notFound, pickOne } from "../../identify.ts";

import type { Caller } from "../../../api/calls.ts";
import type { BlockType } from "../../../api/manage/blocks.ts";
import type { WithJson } from "../../../api/manage/resource.ts";
import type { BlockDocument } from "../../../api/types.ts";

type Block = WithJson<BlockDocument>;

/** The parts of `TYPE/NAME`. Throws a WorkerError. */
export function splitSlug(slug: string): { readonly typeSlug: string; readonly name: string } {
  const [typeSlug = "", name = "", ...more] = slug.split("/");
  if (typeSlug !== "" && name !== "" && more.length === 0) return { typeSlug, name };
  throw new WorkerError("USAGE", `'${slug}' is no block`, {
    hint: "Write it as TYPE/NAME, such as secret/my-token.",
  });
}

/** The block of `TYPE/NAME`, of an id or of a part of an id; a command's `--id` comes second. Throws NOT_FOUND. */
export async function getBlock(
  api: Caller,
  slug: string | undefined,
  id: string | undefined,
): Promise<Block> {
  const reference = slug ?? id;
  if (reference === undefined || (slug !== undefined && id !== undefined)) {
    throw new WorkerError("USAGE", "Which block?", { hint: "Give either TYPE/NAME or --id." });
  }
  const found = isUuid(reference)
    ? await findBlockById(api, reference)
    : reference.includes("/")
      ? await findBySlug(api, reference)
      : null;
  if (found !== null) return found;
  return pickOne(await listBlocks(api), reference, {
    noun: "block",
    nameOf: slugOf,
    listedBy: "lighterman block ls",
  });
}

export function slugOf({ block_type_slug: typeSlug, name }: BlockDocument): string {
  return `${typeSlug ?? "?"}/${name ?? "?"}`;
}

/** Throws NOT_FOUND with the nearest slug. */
export async function getBlockType(api: Caller, slug: string): Promise<WithJson<BlockType>> {
  const type = await findBlockType(api, slug);
  if (type !== null) return type;
  throw notFound(
    slug,
    (await listBlockTypes(api)).map((each) => each.slug),
    { noun: "registered block type", listedBy: "lighterman block type ls" },
  );
}

async function findBySlug(api: Caller, slug: string): Promise<Block | null> {
  const { typeSlug, name } = splitSlug(slug);
  return findBlock(api, typeSlug, name);
}
