import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { findEngine } from "../../src/docker/engine-address.ts";
import { DockerEngine } from "../../src/docker/engine.ts";
import { findImage, pushImage } from "../../src/docker/images.ts";
import { ensureImage } from "../../src/docker/pull-policy.ts";
import { AsyncDisposables } from "../support/disposables.ts";
import { DockerEngine as TestEngine } from "../support/docker-engine.ts";
import { DockerRegistry } from "../support/docker-registry.ts";
import type { TransferOptions } from "../../src/docker/images.ts";
import type { ImageNeed, ImagePullPolicy } from "../../src/docker/pull-policy.ts";

const opened = new AsyncDisposables();
let daemon: TestEngine;
let engine: DockerEngine;
let registry: DockerRegistry;
/** Holds config.json, and helpers on the PATH. */
let home: string;
let env: Record<string, string>;

beforeAll(async () => {
  daemon = opened.use(await TestEngine.start());
  registry = opened.use(await DockerRegistry.start());
  engine = new DockerEngine({ address: findEngine({ DOCKER_HOST: daemon.host }) });
  opened.defer(() => engine.close());
  for (const tag of ["1", "latest"]) {
    await daemon.createSmallImage(nameOf(tag));
    await daemon.docker("push", nameOf(tag));
  }
});
afterAll(() => opened.dispose());

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "docker-home-"));
  env = { PATH: `${home}/bin:${process.env["PATH"] ?? ""}`, HOME: home, DOCKER_CONFIG: home };
});
afterEach(() => rm(home, { recursive: true }));

function nameOf(tag: string): string {
  return `${registry.address}/team/app:${tag}`;
}

async function putRegistry(state: "up" | "down" | "login"): Promise<void> {
  await registry.pause();
  if (state !== "down") await registry.resume({ login: state === "login" });
}

async function putImage(isThere: boolean, tag: string): Promise<void> {
  if ((await findImage(engine, nameOf(tag))) !== undefined) await daemon.docker("rmi", nameOf(tag));
  if (isThere) await daemon.createSmallImage(nameOf(tag));
}

/** What became of it: "local" for the image that the engine had, "pulled" for the registry's, or the error. */
async function ensure(need: Partial<ImageNeed>, told: string[] = []): Promise<string> {
  const image = need.image ?? nameOf("1");
  const before = await findImage(engine, image);
  try {
    const { Id } = await ensureImage(
      engine,
      { ...need, image },
      { env, onProgress: (text) => told.push(text) },
    );
    return Id === before?.Id ? "local" : "pulled";
  } catch (error) {
    const { message, hint } = error as { message: string; hint?: string };
    return `${message}\n${hint ?? ""}`;
  }
}

const refused = /could not be pulled: .*connection refused\nIt is the engine that talks to the registry/;
const noLogin =
  /could not be pulled: .*no basic auth credentials\nThere is no login for the registry [\d.:]+: give a docker-registry-credentials block whose registry_url is/;
const never = /^The engine has no image .*, and its pull policy is Never\nBuild or pull it/;
const nowhere = /could not be pulled: .*; and the engine has none of that name\n/;

const policies: readonly (readonly [
  ImagePullPolicy | null,
  string,
  boolean,
  Readonly<Record<"up" | "down" | "login", RegExp>>,
])[] = [
  ["IfNotPresent", "1", true, { up: /^local$/, down: /^local$/, login: /^local$/ }],
  ["IfNotPresent", "1", false, { up: /^pulled$/, down: refused, login: noLogin }],
  ["Always", "1", true, { up: /^pulled$/, down: refused, login: noLogin }],
  ["Always", "1", false, { up: /^pulled$/, down: refused, login: noLogin }],
  ["IfPossible", "1", true, { up: /^pulled$/, down: /^local$/, login: /^local$/ }],
  ["IfPossible", "1", false, { up: /^pulled$/, down: nowhere, login: nowhere }],
  ["Never", "1", true, { up: /^local$/, down: /^local$/, login: /^local$/ }],
  ["Never", "1", false, { up: never, down: never, login: never }],
  [null, "1", true, { up: /^local$/, down: /^local$/, login: /^local$/ }],
  [null, "1", false, { up: /^pulled$/, down: refused, login: noLogin }],
  [null, "latest", true, { up: /^pulled$/, down: refused, login: noLogin }],
];

describe.each(["up", "down", "login"] as const)("with the registry %s", (state) => {
  beforeAll(() => putRegistry(state));

  test.each(policies)("policy %s, tag %s, image there: %s", async (policy, tag, isThere, expected) => {
    await putImage(isThere, tag);
    const asked = registry.requests.length;
    expect(await ensure({ image: nameOf(tag), image_pull_policy: policy })).toMatch(expected[state]);
    const pulls = expected.up.source === "^pulled$";
    expect(registry.requests.length > asked).toBe(pulls && state !== "down");
  });
});

test("an image's name without a tag is latest, and is always pulled without a policy", async () => {
  await putRegistry("up");
  await putImage(true, "latest");
  expect(await ensure({ image: nameOf("latest").replace(/:latest$/, "") })).toBe("pulled");
});

test("IfPossible tells why the image was not pulled, and that the engine's own is used", async () => {
  await putRegistry("down");
  await putImage(true, "1");
  const told: string[] = [];
  expect(await ensure({ image_pull_policy: "IfPossible" }, told)).toBe("local");
  expect(told.at(-1)).toMatch(
    /could not be pulled: .*connection refused.* since the pull policy is IfPossible/,
  );
});

test("a tag and a repository that the registry has not are told apart from trouble", async () => {
  await putRegistry("up");
  expect(await ensure({ image: nameOf("9") })).toMatch(
    /manifest .*unknown.*\nCheck name and tag: the registry/,
  );
});

describe("with a registry that asks for a login", () => {
  beforeAll(() => putRegistry("login"));
  beforeEach(() => putImage(false, "1"));

  const block = (fields: object = {}) => ({
    username: registry.username,
    password: registry.password,
    registry_url: `http://${registry.address}/v2/`,
    reauth: true,
    ...fields,
  });
  const config = (value: object) => writeFile(join(home, "config.json"), JSON.stringify(value));
  const encoded = () => Buffer.from(`${registry.username}:${registry.password}`).toString("base64");

  async function helper(name: string, answer: string): Promise<void> {
    await mkdir(join(home, "bin"), { recursive: true });
    const path = join(home, "bin", `docker-credential-${name}`);
    await writeFile(path, `#!/bin/sh\nread -r server\necho "$1 $server" >>"$HOME/asked"\n${answer}\n`);
    await chmod(path, 0o755);
  }
  const known = () =>
    helper(
      "tests",
      `echo '{"ServerURL":"x","Username":"${registry.username}","Secret":"${registry.password}"}'`,
    );

  test("the block's credentials are used", async () => {
    expect(await ensure({ registry_credentials: block() })).toBe("pulled");
  });

  test("a wrong password is told as such, and not repeated", async () => {
    const result = await ensure({ registry_credentials: block({ password: "opensesame" }) });
    expect(result).toMatch(
      /unauthorized.*\nThe login from the registry_credentials was sent to the registry/,
    );
    expect(result).not.toContain("opensesame");
  });

  test("a block for another registry is not sent there, but said", async () => {
    const told: string[] = [];
    expect(await ensure({ registry_credentials: block({ registry_url: "ghcr.io" }) }, told)).toMatch(noLogin);
    expect(told[0]).toMatch(/^The registry_credentials are for ghcr\.io, so they are not sent to 127/);
  });

  test("config.json's login is used", async () => {
    await config({ auths: { [`http://${registry.address}`]: { auth: encoded() } } });
    expect(await ensure({})).toBe("pulled");
  });

  test("a helper of the registry goes before the store and config.json, and is asked only when a pull is needed", async () => {
    await known();
    await helper("wrong", "exit 1");
    await config({
      auths: { [registry.address]: {} },
      credsStore: "wrong",
      credHelpers: { [registry.address]: "tests" },
    });
    expect(await ensure({})).toBe("pulled");
    await rm(join(home, "asked"));
    expect(await ensure({})).toBe("local");
    await expect(rm(join(home, "asked"))).rejects.toThrow("ENOENT");
  });

  test("a store that knows nothing leaves it to config.json", async () => {
    await helper("tests", "echo 'credentials not found in native keychain'; exit 1");
    await config({ auths: { [registry.address]: { auth: encoded() } }, credsStore: "tests" });
    expect(await ensure({})).toBe("pulled");
  });

  test("a helper that is missing, or fails, is named", async () => {
    await config({ credsStore: "absent" });
    expect(await ensure({})).toMatch(
      /^docker-credential-absent gave no login for .*no such program on the PATH\n/,
    );
    await helper("broken", "echo 'keyring is locked' >&2; exit 1");
    await config({ credsStore: "broken" });
    expect(await ensure({})).toMatch(/^docker-credential-broken gave no login for .*: keyring is locked\n/);
  });

  test("a push logs in, too, and says when it was refused", async () => {
    await putImage(true, "1");
    const image = { name: `${registry.address}/team/app`, tag: "1" };
    const push = (options?: TransferOptions) => pushImage(engine, image, options);
    await expect(push()).rejects.toThrow(/could not be pushed: .*no basic auth credentials/);
    const { username, password } = registry;
    await push({
      login: { login: { username, password, serveraddress: registry.address }, source: "the test" },
    });
    expect(registry.requests.join("\n")).toMatch(/"PUT \/v2\/team\/app\/manifests\/1 /);
  });
});
