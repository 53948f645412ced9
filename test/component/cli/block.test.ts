import { describe, it } from "vitest";

import { BUILT_IN_BLOCKS } from "../../../src/api/manage/built-in-blocks.ts";
import { open } from "./open.ts";

import type { Api } from "../server/api.ts";

/** The data as it is stored, secrets in plain text. */
async function dataOf(api: Api, type: string, name: string): Promise<unknown> {
  const path = `/block_types/slug/${type}/block_documents/name/${name}?include_secrets=true`;
  return (await api.get(path)).data;
}

describe("block", () => {
  it("create registers a built-in type when it is first used, and keeps the secret out of what it prints", async ({
    expect,
  }) => {
    const { api, run } = await open();
    const created = await run("block create secret/token", { stdin: "value: canary-1\n" });
    expect(created.code, created.stderr).toBe(0);
    expect(created.stdout).toContain("{{ prefect.blocks.secret.token }}");
    expect(await dataOf(api, "secret", "token")).toEqual({ value: "canary-1" });
    const types = await api.post("/block_types/filter", {});
    expect(types).toMatchObject([{ slug: "secret", name: "Secret" }]);
    const json = await run("block create secret/json --json", { stdin: '{"value": {"a": [1, null]}}' });
    expect(json.code, json.stderr).toBe(0);
    expect(JSON.parse(json.stdout).data).toEqual({ value: { a: "********" } });
    expect(await dataOf(api, "secret", "json")).toEqual({ value: { a: [1, null] } });
    expect(await api.post("/block_schemas/filter", {})).toHaveLength(1);
    for (const line of ["block ls", "block inspect secret/token", "block inspect secret/token --json"]) {
      const shown = await run(line);
      expect(shown.code).toBe(0);
      expect(shown.stdout).not.toContain("canary");
    }
    expect((await run("block inspect secret/token")).stdout).toContain('value: "********"');
    expect((await run("blocks ls")).stdout).toMatch(/^[\w-]+\tSecret\tjson\tsecret\/json\n/);
  });

  it("create needs --overwrite for a block that is there, and replaces all of its fields then", async ({
    expect,
  }) => {
    const { api, run } = await open();
    const create = (data: unknown, flags = "") =>
      run(`block create gitlab-credentials/mine ${flags}`, { stdin: JSON.stringify(data) });
    await create({ token: "canary-1", url: "https://gitlab.example" });
    expect(await create({ token: "canary-2" })).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("--overwrite"),
    });
    expect(await create({ token: "canary-2" }, "--overwrite")).toMatchObject({ code: 0 });
    expect(await dataOf(api, "gitlab-credentials", "mine")).toEqual({ token: "canary-2" });
  });

  it("a bucket refers to its credentials", async ({ expect }) => {
    const { api, run } = await open();
    const bucket = 'bucket_name: data\ncredentials: "{{ prefect.blocks.minio-credentials.local }}"\n';
    expect(await run("block create s3-bucket/data", { stdin: bucket })).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("lighterman block create minio-credentials/local"),
    });
    await run("block create minio-credentials/local", {
      stdin: "minio_root_user: me\nminio_root_password: canary\n",
    });
    const made = await run("block create s3-bucket/data", { stdin: bucket });
    expect(made.code, made.stderr).toBe(0);
    expect(await dataOf(api, "s3-bucket", "data")).toEqual({
      bucket_name: "data",
      credentials: { minio_root_user: "me", minio_root_password: "canary" },
    });
    const shown = await run("block inspect s3-bucket/data --json");
    expect(JSON.parse(shown.stdout)).toMatchObject({
      data: { credentials: { minio_root_user: "me", minio_root_password: "********" } },
      block_document_references: { credentials: { block_document: { name: "local" } } },
    });
    const inline = await run("block create s3-bucket/inline", {
      stdin: "bucket_name: data\ncredentials: {aws_access_key_id: A, aws_secret_access_key: canary}\n",
    });
    expect(inline.code, inline.stderr).toBe(0);
    expect(JSON.parse((await run("block inspect s3-bucket/inline -o json")).stdout).data).toMatchObject({
      credentials: { aws_access_key_id: "A", aws_secret_access_key: "********" },
    });
  });

  it("create refuses wrong data before it makes anything, and never quotes it", async ({ expect }) => {
    const { api, run } = await open();
    for (const [slug, stdin, code, text] of [
      ["secret/token", "valeu: canary", 2, "Did you mean 'value'?"],
      ["secret/token", "{}", 2, "required property 'value'"],
      ["secret/token", "- canary", 2, "must be a JSON or YAML mapping"],
      ["secret/token", "value: canary: 1", 2, "neither JSON nor YAML"],
      ["secret/token", "", 2, "must be a JSON or YAML mapping"],
      ["secret/Token", "value: canary", 2, "lower-case"],
      ["secret", "value: canary", 2, "TYPE/NAME"],
      ["aws-credentials/a", "aws_secret_access_key: 12345", 2, "aws_secret_access_key must be string"],
      ["docker-registry-credentials/a", "username: u", 2, "required property 'password'"],
      ["docker-registry-credential/a", "username: u", 1, "Did you mean 'docker-registry-credentials'?"],
    ] as const) {
      const result = await run(`block create ${slug}`, { stdin });
      expect(result.code, `${slug} ${stdin}: ${result.stderr}`).toBe(code);
      expect(result.stderr).toContain(text);
      expect(result.stderr).not.toContain("canary");
    }
    expect(await api.post("/block_documents/filter", {})).toEqual([]);
  });

  it("a type that somebody else registered is used with its own schema", async ({ expect }) => {
    const { api, run } = await open();
    const type = await api.post("/block_types/", { name: "My Type", slug: "my-type" });
    await api.post("/block_schemas/", {
      block_type_id: type.id,
      fields: {
        title: "MyType",
        type: "object",
        properties: { host: { type: "string" }, key: { type: "string", format: "password" } },
        required: ["host"],
        block_type_slug: "my-type",
        secret_fields: ["key"],
        block_schema_references: {},
      },
      capabilities: [],
    });
    expect(await run("block create my-type/a", { stdin: "key: k" })).toMatchObject({ code: 2 });
    expect(await run("block create my-type/a", { stdin: "host: h\nkey: k" })).toMatchObject({ code: 0 });
    expect(await dataOf(api, "my-type", "a")).toEqual({ host: "h", key: "k" });
    const types = await run("block type ls");
    expect(types.stdout).toBe("my-type\tMy Type\t\n");
    expect(types.stderr).toContain("aws-credentials");
    expect((await run("block type inspect my-type")).stdout).toContain("host:");
    expect(await run("block type delete my-type -y")).toMatchObject({ code: 0 });
    expect(await api.post("/block_documents/filter", {})).toEqual([]);
  });

  it("delete goes by slug or id", async ({ expect }) => {
    const { run } = await open();
    await run("block create secret/one", { stdin: "value: 1" });
    await run("block create secret/two", { stdin: "value: 2" });
    expect(await run("block delete secret/one")).toMatchObject({ code: 2 });
    expect(await run("block delete secret/one -y")).toMatchObject({ code: 0 });
    const [{ id }] = JSON.parse((await run("block ls --json")).stdout);
    expect(await run(`block delete --id ${id} -y`)).toMatchObject({ code: 0 });
    expect(await run("block delete secret/two -y")).toMatchObject({ code: 1 });
    expect(await run("block delete -y")).toMatchObject({ code: 2 });
  });

  it("every built-in type can be registered", async ({ expect }) => {
    const { api, run } = await open();
    for (const { slug, required } of BUILT_IN_BLOCKS.values()) {
      const fields = Object.fromEntries(required.map((field) => [field, "text"]));
      const made = await run(`block create ${slug}/any`, { stdin: JSON.stringify(fields) });
      expect(made.code, slug + made.stderr).toBe(0);
    }
    expect(await api.post("/block_types/filter", {})).toHaveLength(BUILT_IN_BLOCKS.size);
  });
});
