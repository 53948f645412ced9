import { missing } from "./call.ts";

import type { Call } from "./call.ts";

const FIELDS = {
  block_schema_references: {},
  block_type_slug: "lamp",
  properties: {
    colour: { title: "Colour", type: "string" },
    key: { title: "Key", type: "string", format: "password", writeOnly: true },
  },
  required: ["colour"],
  secret_fields: ["key"],
  title: "Lamp",
  type: "object",
};

export const BLOCKS: readonly Call[] = [
  {
    request: "POST /block_types/",
    body: {
      name: "Lamp",
      slug: "lamp",
      description: "Light",
      logo_url: "http://x.example/l.png",
      documentation_url: "http://x.example/d",
      code_example: "lamp",
    },
    saves: { blockType: "id" },
  },
  { request: "POST /block_types/", body: { name: "Lamp", slug: "lamp" } },
  { request: "POST /block_types/", body: { name: "Prefect Lamp", slug: "prefect-lamp" } },
  { request: "POST /block_types/", body: { name: "x" } },
  { request: "POST /block_types/", body: { slug: "x" } },
  { request: "GET /block_types/<blockType>" },
  { request: "GET /block_types/slug/lamp" },
  { request: "GET /block_types/slug/nothing" },
  { request: "PATCH /block_types/<blockType>", body: { description: "More light" } },
  { request: "PATCH /block_types/<blockType>", body: { description: 5 } },
  { request: "POST /block_types/filter", body: { block_types: { name: { like_: "lam" } } } },
  { request: "POST /block_types/filter", body: { block_types: { slug: { any_: ["lamp"] } } } },
  { request: "POST /block_types/filter", body: { limit: 500 } },

  {
    request: "POST /block_schemas/",
    body: { block_type_id: "<blockType>", fields: FIELDS, capabilities: ["shine"], version: "1.0" },
    saves: { schema: "id", checksum: "checksum" },
  },
  {
    request: "POST /block_schemas/",
    body: { block_type_id: "<blockType>", fields: FIELDS, capabilities: ["shine"], version: "1.0" },
  },
  { request: "POST /block_schemas/", body: { block_type_id: "<missing>", fields: FIELDS } },
  { request: "POST /block_schemas/", body: { fields: FIELDS } },
  { request: "GET /block_schemas/<schema>" },
  { request: "GET /block_schemas/checksum/<checksum>" },
  { request: "GET /block_schemas/checksum/<checksum>?version=1.0" },
  { request: "GET /block_schemas/checksum/sha256:nothing" },
  {
    request: "POST /block_schemas/filter",
    body: { block_schemas: { block_type_id: { any_: ["<blockType>"] } } },
  },
  {
    request: "POST /block_schemas/filter",
    body: { block_schemas: { block_capabilities: { all_: ["shine"] } } },
  },
  { request: "POST /block_schemas/filter", body: { limit: 500 } },
  { request: "GET /block_capabilities/" },

  {
    request: "POST /block_documents/",
    body: {
      name: "desk",
      block_type_id: "<blockType>",
      block_schema_id: "<schema>",
      data: { colour: "white", key: "secret!" },
    },
    saves: { block: "id" },
  },
  {
    request: "POST /block_documents/",
    body: { name: "desk", block_type_id: "<blockType>", block_schema_id: "<schema>", data: {} },
  },
  {
    request: "POST /block_documents/",
    body: { name: "Desk!", block_type_id: "<blockType>", block_schema_id: "<schema>", data: {} },
  },
  {
    request: "POST /block_documents/",
    body: { block_type_id: "<blockType>", block_schema_id: "<schema>", data: {} },
  },
  {
    request: "POST /block_documents/",
    body: {
      block_type_id: "<blockType>",
      block_schema_id: "<schema>",
      data: { colour: "red" },
      is_anonymous: true,
    },
    saves: { anonymous: "id", anonymousName: "name" },
  },
  { request: "POST /block_documents/", body: { name: "x", data: {} } },
  { request: "GET /block_documents/<block>" },
  { request: "GET /block_documents/<block>?include_secrets=true" },
  { request: "GET /block_types/slug/lamp/block_documents" },
  { request: "GET /block_types/slug/lamp/block_documents?include_secrets=true" },
  { request: "GET /block_types/slug/nothing/block_documents" },
  { request: "GET /block_types/slug/lamp/block_documents/name/desk" },
  { request: "GET /block_types/slug/lamp/block_documents/name/desk?include_secrets=true" },
  { request: "GET /block_types/slug/lamp/block_documents/name/nothing" },
  { request: "PATCH /block_documents/<block>", body: { data: { colour: "black" } } },
  { request: "GET /block_documents/<block>?include_secrets=true" },
  {
    request: "PATCH /block_documents/<block>",
    body: { data: { colour: "blue" }, merge_existing_data: false },
  },
  { request: "PATCH /block_documents/<block>", body: { data: 5 } },
  { request: "POST /block_documents/filter", body: { block_types: { slug: { any_: ["lamp"] } } } },
  {
    request: "POST /block_documents/filter",
    body: { block_documents: { name: { any_: ["desk"] } }, include_secrets: true },
  },
  { request: "POST /block_documents/filter", body: { block_documents: { is_anonymous: { eq_: true } } } },
  {
    request: "POST /block_documents/filter",
    body: { block_documents: { is_anonymous: null }, sort: "NAME_DESC" },
  },
  { request: "POST /block_documents/filter", body: { limit: 500 } },
  { request: "POST /block_documents/count", body: { block_types: { slug: { any_: ["lamp"] } } } },
  { request: "POST /block_documents/count", body: { block_documents: 5 } },
  { request: "POST /block_types/install_system_block_types" },

  { request: "PUT /admin/storage", body: { default_result_storage_block_id: "<block>" } },
  {
    request: "POST /block_schemas/",
    body: {
      block_type_id: "<blockType>",
      fields: { ...FIELDS, title: "Store" },
      capabilities: ["write-path"],
    },
    saves: { storeSchema: "id", storeChecksum: "checksum" },
  },
  {
    request: "POST /block_documents/",
    body: {
      name: "store",
      block_type_id: "<blockType>",
      block_schema_id: "<storeSchema>",
      data: { colour: "grey" },
    },
    saves: { store: "id" },
  },
  { request: "PUT /admin/storage", body: { default_result_storage_block_id: "<store>" } },
  { request: "GET /admin/storage" },
  { request: "DELETE /block_documents/<store>" },
  { request: "PUT /admin/storage", body: { default_result_storage_block_id: "<missing>" } },
  { request: "PUT /admin/storage", body: {} },
  { request: "GET /admin/storage" },
  { request: "DELETE /admin/storage" },

  { request: "DELETE /block_documents/<anonymous>" },
  { request: "DELETE /block_documents/<block>" },
  { request: "DELETE /block_schemas/<schema>" },
  { request: "DELETE /block_types/<blockType>" },
  ...missing(
    "GET /block_types/<missing>",
    "PATCH /block_types/<missing>",
    "DELETE /block_types/<missing>",
    "GET /block_schemas/<missing>",
    "DELETE /block_schemas/<missing>",
    "GET /block_documents/<missing>",
    "PATCH /block_documents/<missing>",
    "DELETE /block_documents/<missing>",
  ),
];
