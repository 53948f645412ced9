import { createBlock, findBlock, listBlockTypes, updateBlock } from "../../../api/manage/blocks.ts";
import { registerBlockType } from "../../../api/manage/block-registration.ts";
import { BUILT_IN_BLOCKS } from "../../../api/manage/built-in-blocks.ts";
import { WorkerError } from "../../../errors.ts";
import { addApiAction } from "../../api-command.ts";
import { notFound } from "../../identify.ts";
import { readObject } from "../../json-file.ts";
import { outlineOf, prepareData } from "./data.ts";
import { splitSlug } from "./lookup.ts";

import type { Command } from "commander";

import type { RegisteredBlock } from "../../../api/manage/block-registration.ts";
import type { JsonObject } from "../../../json/value.ts";
import type { ApiCall, CommandContext } from "../../api-command.ts";

interface CreateFlags {
  readonly file?: string;
  readonly overwrite?: boolean;
}

const NAME = /^[a-z0-9]+(?:-[a-z0-9]+)*$/;

const HELP = `
The file, or standard input, holds the block's fields as JSON or YAML. Where a field is another block, write
"{{ prefect.blocks.TYPE.NAME }}". These types are registered when they are first used, any other must be there already (from Python):
  ${[...BUILT_IN_BLOCKS.keys()].join(", ")}

Examples:
  $ echo "value: $TOKEN" | lighterman block create secret/my-token
  $ lighterman block create aws-credentials/prod --file aws.yaml --overwrite
`;

/** `block create`: unlike `prefect block create`, which gives a link to a web page, it makes the block. */
export function addCreateCommand(group: Command, context: CommandContext): void {
  const create = group
    .command("create <TYPE/NAME>")
    .description("make a block from JSON or YAML")
    .option("-f, --file <FILE>", "file with the block's fields (default: standard input)")
    .option("--overwrite", "change the block if it is there")
    .addHelpText("after", HELP);
  addApiAction(create, context, async (call: ApiCall<CreateFlags>, slug) => {
    const { api, flags, output } = call;
    const { typeSlug, name } = splitSlug(slug);
    if (!NAME.test(name)) {
      throw new WorkerError("USAGE", `'${name}' is no name for a block`, {
        hint: "Use lower-case letters, digits and dashes.",
      });
    }
    const registered = await getType(call, typeSlug);
    const existing = await findBlock(api, typeSlug, name);
    if (existing !== null && flags.overwrite !== true) {
      throw new WorkerError("USAGE", `There is a block '${slug}' already`, {
        hint: "Use --overwrite to change it.",
      });
    }
    const block = {
      name,
      data: await prepareData(api, registered, await readFields(call, registered)),
      block_schema_id: registered.schema.id,
      block_type_id: registered.type.id,
    };
    if (existing === null) await createBlock(api, block);
    else await updateBlock(api, existing.id, block);
    const made = await findBlock(api, typeSlug, name);
    output.done(
      made?.json ?? {},
      output.paint("green", `${existing === null ? "Created" : "Updated"} block '${slug}'.`),
      `Job variables and pull steps refer to it as {{ prefect.blocks.${typeSlug}.${name} }}`,
    );
  });
}

async function getType({ api }: ApiCall<CreateFlags>, slug: string): Promise<RegisteredBlock> {
  const registered = await registerBlockType(api, slug);
  if (registered !== null) return registered;
  const known = (await listBlockTypes(api)).map((type) => type.slug);
  throw notFound(slug, [...BUILT_IN_BLOCKS.keys(), ...known], {
    noun: "block type",
    listedBy: "lighterman block type ls",
  });
}

async function readFields(
  { io, flags }: ApiCall<CreateFlags>,
  { type, schema }: RegisteredBlock,
): Promise<JsonObject> {
  const { file = "-" } = flags;
  if (file !== "-" || io.stdin().isTTY !== true) return readObject(io, file, "fields of a block");
  throw new WorkerError("USAGE", `The fields of the block are missing`, {
    hint: `Give a file with --file, or on standard input:\n${outlineOf(schema.fields)}\n  (type ${type.slug})`,
  });
}
