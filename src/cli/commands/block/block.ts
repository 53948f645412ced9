import { deleteBlock, listBlocks } from "../../../api/manage/blocks.ts";
import { mapOf, textOf } from "../../../api/fields.ts";
import { addApiAction } from "../../api-command.ts";
import { addConfirmFlags, confirm } from "../../confirm.ts";
import { idColumn } from "../../table.ts";
import { addCreateCommand } from "./create.ts";
import { getBlock, slugOf } from "./lookup.ts";
import { addBlockTypeCommands } from "./type.ts";

import type { Command } from "commander";

import type { WithJson } from "../../../api/manage/resource.ts";
import type { BlockDocument } from "../../../api/types.ts";
import type { ApiCall, CommandContext } from "../../api-command.ts";
import type { ConfirmFlags } from "../../confirm.ts";
import type { Column } from "../../table.ts";

interface IdFlags {
  readonly id?: string;
}

const COLUMNS: readonly Column<WithJson<BlockDocument>>[] = [
  idColumn(),
  { title: "Type", value: typeNameOf, style: "blue" },
  { title: "Name", value: ({ name }) => name ?? "", style: "green", weight: 2 },
  { title: "Slug", value: slugOf, style: "blue", weight: 2 },
];

const ID = ["--id <ID>", "the block's id instead of its slug"] as const;

/** `lighterman block`, with the words of `prefect block` (prefect/cli/block.py). Secrets are masked by the server. */
export function addBlockCommands(group: Command, context: CommandContext): void {
  addCreateCommand(group, context);

  const ls = group.command("ls").description("list blocks");
  addApiAction(ls, context, async ({ api, output }) => {
    const blocks = await listBlocks(api);
    output.list(
      blocks.sort((a, b) => slugOf(a).localeCompare(slugOf(b))),
      COLUMNS,
      "There are no blocks.",
    );
  });

  const inspect = group
    .command("inspect [TYPE/NAME]")
    .description("show a block, its secrets masked")
    .option(...ID);
  addApiAction(inspect, context, async ({ api, output, flags }: ApiCall<IdFlags>, slug?: string) => {
    const block = await getBlock(api, slug, flags.id);
    const { id, data } = block;
    output.inspect(block.json, { block: slugOf(block), type: typeNameOf(block), id, data });
  });

  const remove = group
    .command("delete [TYPE/NAME]")
    .description("delete a block")
    .option(...ID);
  addConfirmFlags(remove);
  addApiAction(
    remove,
    context,
    async ({ api, io, output, flags }: ApiCall<IdFlags & ConfirmFlags>, slug?: string) => {
      const block = await getBlock(api, slug, flags.id);
      if (!(await confirm(io, flags, `Delete block '${slugOf(block)}'?`))) return 1;
      await deleteBlock(api, block.id);
      output.done(block.json, output.paint("green", `Deleted block '${slugOf(block)}'.`));
      return 0;
    },
  );

  addBlockTypeCommands(
    group.command("type").alias("types").description("look into and delete block types"),
    context,
  );
}

function typeNameOf({ json }: WithJson<BlockDocument>): string {
  return textOf(mapOf(json, "block_type"), "name") ?? textOf(json, "block_type_name") ?? "";
}
