import { deleteBlockType, findLatestSchema, listBlockTypes } from "../../../api/manage/blocks.ts";
import { BUILT_IN_BLOCKS } from "../../../api/manage/built-in-blocks.ts";
import { addApiAction } from "../../api-command.ts";
import { addConfirmFlags, confirm } from "../../confirm.ts";
import { getBlockType } from "./lookup.ts";

import type { Command } from "commander";

import type { BlockType } from "../../../api/manage/blocks.ts";
import type { WithJson } from "../../../api/manage/resource.ts";
import type { ApiCall, CommandContext } from "../../api-command.ts";
import type { ConfirmFlags } from "../../confirm.ts";
import type { Column } from "../../table.ts";

const COLUMNS: readonly Column<WithJson<BlockType>>[] = [
  { title: "Slug", value: ({ slug }) => slug, style: "cyan", weight: 0 },
  { title: "Name", value: ({ name }) => name, style: "blue", weight: 2 },
  { title: "Description", value: ({ description }) => firstSentence(description ?? "") },
];

/** `lighterman block type`, with the words of `prefect block type`. */
export function addBlockTypeCommands(group: Command, context: CommandContext): void {
  const ls = group.command("ls").description("list the block types that are registered");
  addApiAction(ls, context, async ({ api, output }) => {
    const types = await listBlockTypes(api);
    output.list(
      types.sort((a, b) => a.name.localeCompare(b.name)),
      COLUMNS,
      "No block types are registered.",
    );
    const rest = [...BUILT_IN_BLOCKS.keys()].filter((slug) => types.every((type) => type.slug !== slug));
    if (!output.isJson && rest.length > 0) output.note(`Registered when first used: ${rest.join(", ")}`);
  });

  const inspect = group.command("inspect <TYPE>").description("show a block type and its latest schema");
  addApiAction(inspect, context, async ({ api, output }, slug) => {
    const type = await getBlockType(api, slug);
    const schema = await findLatestSchema(api, type.id);
    output.inspect(
      { block_type: type.json, schema: schema?.json ?? null },
      {
        name: type.name,
        slug: type.slug,
        description: type.description,
        fields: schema?.fields["properties"] ?? {},
        required: schema?.fields["required"] ?? [],
      },
    );
  });

  const remove = group.command("delete <TYPE>").description("delete a block type with all its blocks");
  addConfirmFlags(remove);
  addApiAction(remove, context, async ({ api, io, output, flags }: ApiCall<ConfirmFlags>, slug) => {
    const type = await getBlockType(api, slug);
    if (!(await confirm(io, flags, `Delete block type '${slug}' and all its blocks?`))) return 1;
    await deleteBlockType(api, type.id);
    output.done(type.json, output.paint("green", `Deleted block type '${slug}'.`));
    return 0;
  });
}

function firstSentence(text: string): string {
  return (text.split("\n")[0] ?? "").split(".")[0] ?? "";
}
