import { describe, it } from "vitest";

import { Float } from "../json/value.ts";
import { resolveBlockReferences } from "./block-references.ts";
import { TemplateError } from "./errors.ts";
import { maskSecret } from "./mask.ts";
import { resolveVariables } from "./variables.ts";

import type { Json, JsonObject } from "../json/value.ts";

const BLOCKS: JsonObject = {
  "secret/token": { value: "s3cret" },
  "secret/num": { value: new Float(1) },
  "secret/nil": { value: null },
  "secret/obj": { value: { key: { n: "nv" }, values: [1], value: "inner" } },
  "custom/multi": { value: 1, user: "u", on: true },
  "an-id": { value: { whole: "data" } },
};

function createLookup(known: JsonObject): {
  reads: string[];
  read: (key: string) => Promise<Json | undefined>;
} {
  const reads: string[] = [];
  return {
    reads,
    read: async (key) => {
      reads.push(key);
      return Object.hasOwn(known, key) ? known[key] : undefined;
    },
  };
}

async function resolve(template: Json, options = {}): Promise<{ result: Json; reads: string[] }> {
  const { reads, read } = createLookup(BLOCKS);
  const lookup = { block: async (type: string, name: string) => read(`${type}/${name}`), blockById: read };
  return { result: await resolveBlockReferences(template, lookup, options), reads };
}

describe("resolveBlockReferences", () => {
  it.for([
    ["{{ prefect.blocks.secret.token }}", "s3cret"],
    ["{{ prefect.blocks.secret.token.value }}", "s3cret"],
    ["t={{ prefect.blocks.secret.token }}", "t=s3cret"],
    ["{{ prefect.blocks.secret.num }}", new Float(1)],
    ["n={{ prefect.blocks.secret.num }}", "n=1.0"],
    ["n={{ prefect.blocks.secret.nil }}", "n=None"],
    ["{{ prefect.blocks.secret.obj.key.n }}", "nv"],
    ["{{ prefect.blocks.secret.obj.value.key.n }}", "nv"],
    ["{{ prefect.blocks.secret.obj.values[0] }}", 1],
    ["{{ prefect.blocks.custom.multi }}", { value: 1, user: "u", on: true }],
    ["{{ prefect.blocks.custom.multi.user }}", "u"],
    ["{{ prefect.blocks }}", "{{ prefect.blocks }}"],
    [{ $ref: { block_document_id: "an-id" }, lost: 1 }, { value: { whole: "data" } }],
    [{ $ref: { other: 1 } }, { $ref: { other: 1 } }],
    ["{{ a }}{{ prefect.blocks.secret.token }}", "{{ a }}s3cret"],
  ] as [Json, Json][])("turns %j into %j", async ([template, expected], { expect }) => {
    expect((await resolve(template)).result).toEqual(expected);
  });

  it.for([
    ["{{ prefect.blocks.secret }}", "invalid block placeholder"],
    ["{{ prefect.blocks.secret.nope }}", "Block not found: 'nope' of type 'secret'"],
    ["{{ prefect.blocks.secret.token.x }}", "has no 'x'"],
    ["t={{ prefect.blocks.secret.obj }}", "gives a dict"],
    ["{{ prefect.blocks.secret. }}", "Block not found"],
    ["{{ prefect.blocks.secret.token.__proto__ }}", "has no '__proto__'"],
  ] as const)("refuses %j and says where it stands", async ([text, message], { expect }) => {
    const refusal = await resolve({ env: { A: ["ok", text] } }).catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(TemplateError);
    expect(refusal).toMatchObject({
      code: "TEMPLATE_INVALID",
      path: "env.A[1]",
      placeholder: text.slice(text.indexOf("{")),
      message: expect.stringContaining(message),
    });
    expect(String(refusal)).not.toContain("s3cret");
  });

  it.for([
    [{ $ref: null }],
    [{ $ref: "x" }],
    [{ $ref: { block_document_id: 5 } }],
    [{ $ref: { block_document_id: "nope" } }],
  ] as [Json][])("refuses %j", async ([template], { expect }) => {
    await expect(resolve(template)).rejects.toThrow(TemplateError);
  });

  it("reads each document once per call", async ({ expect }) => {
    const token = "{{ prefect.blocks.secret.token }}";
    const ref = { $ref: { block_document_id: "an-id" } };
    const { reads } = await resolve([
      token,
      `${token}{{prefect.blocks.secret.token.value}}`,
      ref,
      { a: ref },
    ]);
    expect(reads).toEqual(["secret/token", "an-id"]);
  });

  it("reports every text that a block supplied", async ({ expect }) => {
    const secrets: string[] = [];
    const template = [
      "x {{ prefect.blocks.secret.token }}",
      "{{ prefect.blocks.secret.obj }}",
      "{{ prefect.blocks.custom.multi.on }}",
      { $ref: { block_document_id: "an-id" } },
      "plain",
    ];
    await resolve(template, { onSecret: (text: string) => secrets.push(text) });
    expect(secrets).toEqual(["s3cret", "nv", "inner", "data"]);
  });

  it("masks what blocks supplied, and nothing else", async ({ expect }) => {
    const template = {
      a: "x {{ prefect.blocks.secret.token }} {{ b }}",
      b: "{{ prefect.blocks.custom.multi }}",
      c: "plain",
      d: "{{ prefect.blocks.secret.num }}",
    };
    expect((await resolve(template, { transform: maskSecret })).result).toEqual({
      a: "x ******** {{ b }}",
      b: { value: "********", user: "********", on: true },
      c: "plain",
      d: "********",
    });
  });

  it("passes on what the lookup rejects with", async ({ expect }) => {
    const block = async (): Promise<never> => {
      throw new Error("no connection");
    };
    await expect(
      resolveBlockReferences("{{ prefect.blocks.secret.token }}", { block, blockById: block }),
    ).rejects.toThrow("no connection");
  });
});

describe("resolveVariables", () => {
  const VARIABLES: JsonObject = {
    num: 5,
    f: new Float(1),
    nil: null,
    obj: { a: 1 },
    "obj.a": "full name",
    ref: "{{ prefect.variables.num }}",
  };
  it.for([
    ["{{ prefect.variables.num }}", 5],
    ["n={{ prefect.variables.f }}", "n=1.0"],
    ["{{ prefect.variables.nil }}", null],
    ["n={{ prefect.variables.nil }}", "n=None"],
    ["{{ prefect.variables.nope }}", ""],
    ["n={{ prefect.variables.nope }}", "n="],
    ["{{ prefect.variables.obj.a }}", "full name"],
    ["o={{ prefect.variables.obj }}", "o={'a': 1}"],
    ["{{ prefect.variables.ref }}", "{{ prefect.variables.num }}"],
    ["{{ prefect.variables. }}", ""],
    [{ a: ["{{ prefect.variables.num }}", true] }, { a: [5, true] }],
  ] as [Json, Json][])("turns %j into %j", async ([template, expected], { expect }) => {
    const { read } = createLookup(VARIABLES);
    expect(await resolveVariables(template, { variable: read })).toEqual(expected);
  });

  it("reads each variable once per call, missing ones too", async ({ expect }) => {
    const { reads, read } = createLookup(VARIABLES);
    await resolveVariables(
      [
        "{{ prefect.variables.nope }}",
        "{{prefect.variables.nope}} {{ prefect.variables.nil }}",
        "{{ prefect.variables.nil }}",
      ],
      { variable: read },
    );
    expect(reads).toEqual(["nope", "nil"]);
  });
});
