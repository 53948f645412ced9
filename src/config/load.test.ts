import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";

import { afterEach, beforeEach, describe, it } from "vitest";

import { ConfigError } from "./issues.ts";
import { loadConfig } from "./load.ts";

import type { LoadConfigOptions, LoadedConfig } from "./load.ts";

let root = "";
let homeDir = "";
let cwd = "";

beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), "lighterman-config-"));
  homeDir = path.join(root, "home");
  cwd = path.join(root, "project");
  await mkdir(path.join(homeDir, ".prefect"), { recursive: true });
  await mkdir(cwd);
});

afterEach(() => rm(root, { recursive: true, force: true }));

function load(options: Partial<LoadConfigOptions> = {}): Promise<LoadedConfig> {
  return loadConfig({ flags: {}, env: {}, cwd, homeDir, cpuCount: 4, ...options });
}

async function issuesOf(options: Partial<LoadConfigOptions> = {}): Promise<ConfigError> {
  try {
    await load(options);
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
  throw new Error("the settings were accepted");
}

function write(name: string, text: string): Promise<void> {
  return writeFile(path.join(cwd, name), text);
}

function writeProfiles(text: string): Promise<void> {
  return writeFile(path.join(homeDir, ".prefect/profiles.toml"), text);
}

describe("order of the sources", () => {
  it("is flag, environment, config file, .env, prefect.toml, pyproject, profile, default", async ({
    expect,
  }) => {
    const sources: readonly {
      name: string;
      set: (value: number) => Promise<unknown>;
      remove: () => unknown;
    }[] = [
      {
        name: "profile 'mine' in ~/.prefect/profiles.toml",
        set: (value) =>
          writeProfiles(`active = "mine"\n[profiles.mine]\nPREFECT_WORKER_PREFETCH_SECONDS = "${value}"\n`),
        remove: () => rm(path.join(homeDir, ".prefect/profiles.toml")),
      },
      {
        name: "worker.prefetch_seconds in pyproject.toml",
        set: (value) => write("pyproject.toml", `[tool.prefect.worker]\nprefetch_seconds = ${value}\n`),
        remove: () => rm(path.join(cwd, "pyproject.toml")),
      },
      {
        name: "worker.prefetch_seconds in prefect.toml",
        set: (value) => write("prefect.toml", `[worker]\nprefetch_seconds = ${value}\n`),
        remove: () => rm(path.join(cwd, "prefect.toml")),
      },
      {
        name: "PREFECT_WORKER_PREFETCH_SECONDS in .env",
        set: (value) => write(".env", `PREFECT_WORKER_PREFETCH_SECONDS=${value} # soon\n`),
        remove: () => rm(path.join(cwd, ".env")),
      },
      {
        name: `line 3 of ${path.join(cwd, "worker.yaml")}`,
        set: (value) => write("worker.yaml", `worker:\n  # soon\n  prefetch_seconds: ${value}\n`),
        remove: () => write("worker.yaml", ""),
      },
      {
        name: "environment variable PREFECT_WORKER_PREFETCH_SECONDS",
        set: async (value) => (env["PREFECT_WORKER_PREFETCH_SECONDS"] = String(value)),
        remove: () => delete env["PREFECT_WORKER_PREFETCH_SECONDS"],
      },
      {
        name: "flag --prefetch-seconds",
        set: async (value) => (flags["prefetchSeconds"] = String(value)),
        remove: () => delete flags["prefetchSeconds"],
      },
    ];
    const env: Record<string, string> = {};
    const flags: Record<string, string> = {};
    for (const [index, source] of sources.entries()) await source.set(index + 1);
    for (const [index, source] of [...sources.entries()].toReversed()) {
      const loaded = await load({ env, flags, configFile: "worker.yaml" });
      expect(loaded.config.worker.prefetchMs).toBe((index + 1) * 1000);
      expect(loaded.sources["worker.prefetch_seconds"]).toBe(source.name);
      expect(loaded.prefectSettings["PREFECT_WORKER_PREFETCH_SECONDS"]).toBe(String(index + 1));
      await source.remove();
    }
    const loaded = await load({ env, flags, configFile: "worker.yaml" });
    expect(loaded.config.worker.prefetchMs).toBe(10_000);
    expect(loaded.sources).toEqual({});
    expect(loaded.prefectSettings).toEqual({ PREFECT_SERVER_EPHEMERAL_ENABLED: "true" });
  });

  it("lets an empty text hide the sources below it, as Prefect does", async ({ expect }) => {
    await writeProfiles('active = "a"\n[profiles.a]\nPREFECT_API_URL = "http://below/api"\n');
    const { config, prefectSettings } = await load({ env: { PREFECT_API_URL: "" } });
    expect(config.api.url).toBeUndefined();
    expect(prefectSettings).toEqual({ PREFECT_API_URL: "" });
  });

  it("reads names of variables in any case", async ({ expect }) => {
    const { config } = await load({ env: { prefect_api_url: "http://a/api/" } });
    expect(config.api.url).toBe("http://a/api");
  });
});

describe("problems", () => {
  it("are all reported at once, with their sources, and without secrets", async ({ expect }) => {
    await write("prefect.toml", "[client]\nmax_retries = -1\ncustom_headers = { Authorization = 7 }\n");
    await write("worker.yaml", "drain_timeout: soon\nlog:\n  format: xml\napi:\n  key: [canary-key]\n");
    const error = await issuesOf({
      env: {
        PREFECT_API_URL: "ftp://me:canary-password@host/api",
        PREFECT_WORKER_QUERY_SECONDS: "",
        PREFECT_CLIENT_RETRY_EXTRA_CODES: "500,canary?",
        PREFECT_LOGGING_TO_API_BATCH_SIZE: "10",
      },
      flags: { limit: "0" },
      configFile: "worker.yaml",
      required: ["worker.pool", "api.url"],
    });
    expect(error).toMatchObject({ code: "CONFIG_INVALID", exitCode: 2, retryable: false });
    expect(error.issues.map(({ key, source, found }) => [key, source, found])).toEqual([
      ["api.url", "environment variable PREFECT_API_URL", '"ftp://***@host/api"'],
      ["api.key", `line 5 of ${path.join(cwd, "worker.yaml")}`, "***"],
      ["client.custom_headers", "client.custom_headers in prefect.toml", "***"],
      ["client.max_retries", "client.max_retries in prefect.toml", "-1"],
      ["client.retry_extra_codes", "environment variable PREFECT_CLIENT_RETRY_EXTRA_CODES", '"500,canary?"'],
      ["worker.pool", "not set", undefined],
      ["worker.limit", "flag --limit", '"0"'],
      ["worker.query_seconds", "environment variable PREFECT_WORKER_QUERY_SECONDS", '""'],
      ["drain_timeout", `line 1 of ${path.join(cwd, "worker.yaml")}`, '"soon"'],
      ["log.format", `line 3 of ${path.join(cwd, "worker.yaml")}`, '"xml"'],
      ["logging.to_api.max_log_size", "default", "1000000"],
    ]);
    expect(error.message).toContain(
      "worker.pool (not set): expected a name without / and %, from -p, --pool NAME or LIGHTERMAN_WORKER_POOL or worker.pool in a file",
    );
    expect(`${error.message}${JSON.stringify(error.issues)}${error.stack}`).not.toMatch(
      /canary-(key|password)/,
    );
  });

  it("name the file, the line and the column, and never quote the line", async ({ expect }) => {
    await write("prefect.toml", 'debug_mode = true\nx = "canary\n');
    await write(".env", "not a setting\nPREFECT_DEBUG_MODE=maybe\n");
    await write("worker.yaml", "api:\n  key: canary\n  key: canary\n");
    await writeProfiles("active = canary\n");
    const error = await issuesOf({ configFile: "worker.yaml" });
    const toml: unknown = expect.stringMatching(/^valid TOML \(.+\)$/);
    expect(error.issues).toMatchObject([
      {
        key: path.join(cwd, "worker.yaml"),
        source: "line 3, column 3",
        expected: "valid YAML (duplicate key)",
      },
      { key: path.join(cwd, "prefect.toml"), source: "line 2, column 12", expected: toml },
      { key: "~/.prefect/profiles.toml", source: "line 1, column 10", expected: toml },
      { key: "debug_mode", source: "PREFECT_DEBUG_MODE in .env", found: '"maybe"' },
    ]);
    expect(error.message).not.toContain("canary");
  });

  it("include a config file that cannot be read", async ({ expect }) => {
    const error = await issuesOf({ env: { LIGHTERMAN_CONFIG: "none.yaml" } });
    expect(error.message).toBe(
      `Wrong setting: ${path.join(cwd, "none.yaml")} (environment variable LIGHTERMAN_CONFIG): expected a file that can be read (ENOENT)`,
    );
    await mkdir(path.join(cwd, "directory"));
    expect((await issuesOf({ flags: { config: "directory" } })).message).toContain("(flag --config)");
  });

  it("include a config file of the wrong shape", async ({ expect }) => {
    await write("list.yaml", "- api\n");
    expect((await issuesOf({ configFile: "list.yaml" })).issues[0]?.expected).toBe("a mapping of settings");
    await write("flat.yaml", "api: http://localhost:4200/api\n");
    expect((await issuesOf({ configFile: "flat.yaml" })).issues[0]).toMatchObject({
      key: "api",
      expected: "a mapping of settings",
    });
  });
});

describe("warnings", () => {
  it("name unknown keys, unknown variables of ours and old names", async ({ expect }) => {
    await write("worker.yaml", "api:\n  ulr: http://a/api\nworker:\n\nunknown:\n  deep: 1\n");
    const { warnings, config } = await load({
      configFile: "worker.yaml",
      env: {
        LIGHTERMAN_DRAIN_TIMOUT: "3",
        LIGHTERMAN_TEST_PYTHON3: "x",
        PREFECT_RUNNER_HEARTBEAT_FREQUENCY: "40",
      },
    });
    const file = path.join(cwd, "worker.yaml");
    expect(warnings).toEqual([
      `Unknown setting 'api.ulr' (line 2 of ${file}) is ignored.`,
      `Unknown setting 'unknown.deep' (line 6 of ${file}) is ignored.`,
      "Unknown setting LIGHTERMAN_DRAIN_TIMOUT (environment variable LIGHTERMAN_DRAIN_TIMOUT) is ignored.",
      "PREFECT_RUNNER_HEARTBEAT_FREQUENCY (environment variable PREFECT_RUNNER_HEARTBEAT_FREQUENCY) is deprecated: use PREFECT_FLOWS_HEARTBEAT_FREQUENCY instead.",
    ]);
    expect(config.flows.heartbeatFrequencyMs).toBe(40_000);
  });
});

describe("profiles", () => {
  const profiles = `active = "one"
[profiles.one]
PREFECT_API_URL = "http://one/api"
[profiles.two]
PREFECT_API_URL = "http://two/api"
PREFECT_WORKER_QUERY_SECONDS = 5
`;

  it("are chosen by PREFECT_PROFILE, else by the file", async ({ expect }) => {
    await writeProfiles(profiles);
    const one = await load();
    expect(one.config.api.url).toBe("http://one/api");
    expect(one.sources["api.url"]).toBe("profile 'one' in ~/.prefect/profiles.toml");
    const two = await load({ env: { PREFECT_PROFILE: "two" } });
    expect(two.config.api.url).toBe("http://two/api");
    expect(two.config.worker.queryMs).toBe(5000);
    expect(two.prefectSettings).toEqual({
      PREFECT_API_URL: "http://two/api",
      PREFECT_WORKER_QUERY_SECONDS: "5",
    });
  });

  it("fall back to the built-in one with a warning when the name is unknown", async ({ expect }) => {
    await writeProfiles(profiles);
    const { config, warnings, prefectSettings } = await load({ env: { PREFECT_PROFILE: "three" } });
    expect(config.api.url).toBeUndefined();
    expect(prefectSettings).toEqual({ PREFECT_SERVER_EPHEMERAL_ENABLED: "true" });
    expect(warnings).toEqual([
      "Profile 'three' is not in ~/.prefect/profiles.toml: Prefect's default profile is used instead.",
    ]);
  });

  it("include the built-in ones while there is no file", async ({ expect }) => {
    const { config } = await load({ env: { PREFECT_PROFILE: "local" } });
    expect(config.api.url).toBe("http://127.0.0.1:4200/api");
    expect((await load()).warnings).toEqual([]);
  });

  it("come from the file that PREFECT_PROFILES_PATH, a project file or PREFECT_HOME names", async ({
    expect,
  }) => {
    await writeProfiles(profiles);
    for (const name of ["env", "dotenv", "toml", "project", "home/profiles"]) {
      await mkdir(path.join(root, "home"), { recursive: true });
      await writeFile(
        path.join(root, `${name}.toml`),
        `active = "a"\n[profiles.a]\nPREFECT_API_URL = "http://${name}/api"\n`,
      );
    }
    await write(".env", "PREFECT_PROFILES_PATH=../dotenv.toml\n");
    await write("prefect.toml", 'profiles_path = "../toml.toml"\n');
    await write("pyproject.toml", '[tool.prefect]\nprofiles_path = "../project.toml"\n');
    const env = { PREFECT_HOME: path.join(root, "home"), PREFECT_PROFILES_PATH: "../env.toml" };
    const urlOf = async (variables: Record<string, string>) =>
      (await load({ env: variables })).config.api.url;
    expect(await urlOf(env)).toBe("http://env/api");
    expect(await urlOf({ ...env, PREFECT_PROFILES_PATH: "" })).toBe("http://dotenv/api");
    await rm(path.join(cwd, ".env"));
    expect(await urlOf({ PREFECT_HOME: env.PREFECT_HOME })).toBe("http://toml/api");
    await rm(path.join(cwd, "prefect.toml"));
    expect(await urlOf({ PREFECT_HOME: env.PREFECT_HOME })).toBe("http://project/api");
    await rm(path.join(cwd, "pyproject.toml"));
    expect(await urlOf({ PREFECT_HOME: env.PREFECT_HOME })).toBe("http://home/profiles/api");
    expect(await urlOf({})).toBe("http://one/api");
  });

  it("are left alone in Prefect's test mode", async ({ expect }) => {
    await writeProfiles(profiles);
    expect((await load({ env: { PREFECT_TEST_MODE: "1" } })).config.api.url).toBeUndefined();
  });
});

describe("settings for flow runs", () => {
  it("hold every Prefect setting that is set anywhere, text byte for byte", async ({ expect }) => {
    await writeProfiles(
      `active = "a"\n[profiles.a]\nPREFECT_RESULTS_PERSIST_BY_DEFAULT = "yEs"\nPREFECT_LOCAL_STORAGE_PATH = "/old"\n`,
    );
    await write(
      "prefect.toml",
      `[tasks]\ndefault_retries = 2\nrefresh_cache = false\ndefault_retry_delay_seconds = [1, 2.5]\n[results]\nlocal_storage_path = "/new"\n[logging]\nextra_loggers = ["a", "b"]\n[client]\nretry_extra_codes = [500, 504]\n[client.custom_headers]\nX-A = "1"\n`,
    );
    await write(
      "worker.yaml",
      "api:\n  url: http://y/api/\n  ssl_cert_file: certs/ca.pem\nworker:\n  pool: p\n",
    );
    await mkdir(path.join(cwd, "certs"));
    const { prefectSettings } = await load({
      env: {
        PREFECT_CLIENT_CUSTOM_HEADERS: '{ "X-B":"2" }',
        PREFECT__FLOW_RUN_ID: "not-a-setting",
        PREFECT_PROFILE: "a",
        LIGHTERMAN_PYTHON: "python3",
        OTHER: "x",
      },
      configFile: "worker.yaml",
    });
    expect(prefectSettings).toEqual({
      PREFECT_API_URL: "http://y/api/",
      PREFECT_API_SSL_CERT_FILE: path.join(cwd, "certs/ca.pem"),
      PREFECT_CLIENT_CUSTOM_HEADERS: '{ "X-B":"2" }',
      PREFECT_CLIENT_RETRY_EXTRA_CODES: "500,504",
      PREFECT_LOGGING_EXTRA_LOGGERS: "a,b",
      PREFECT_RESULTS_PERSIST_BY_DEFAULT: "yEs",
      PREFECT_RESULTS_LOCAL_STORAGE_PATH: "/new",
      PREFECT_LOCAL_STORAGE_PATH: "/new",
      PREFECT_TASKS_DEFAULT_RETRIES: "2",
      PREFECT_TASKS_REFRESH_CACHE: "False",
      PREFECT_TASKS_DEFAULT_RETRY_DELAY_SECONDS: "[1,2.5]",
    });
  });

  it("let a newer name win in one source, and a higher source win over names", async ({ expect }) => {
    const env = { PREFECT_RUNNER_HEARTBEAT_FREQUENCY: "40", PREFECT_FLOWS_HEARTBEAT_FREQUENCY: "50" };
    const both = await load({ env });
    expect(both.config.flows.heartbeatFrequencyMs).toBe(50_000);
    expect(both.prefectSettings).toMatchObject({
      PREFECT_FLOWS_HEARTBEAT_FREQUENCY: "50",
      PREFECT_RUNNER_HEARTBEAT_FREQUENCY: "50",
    });
    await write("prefect.toml", "[flows]\nheartbeat_frequency = 60\n");
    const old = await load({ env: { PREFECT_RUNNER_HEARTBEAT_FREQUENCY: "40" } });
    expect(old.config.flows.heartbeatFrequencyMs).toBe(40_000);
    expect(old.prefectSettings).toMatchObject({
      PREFECT_FLOWS_HEARTBEAT_FREQUENCY: "40",
      PREFECT_RUNNER_HEARTBEAT_FREQUENCY: "40",
    });
  });
});

describe("compiled settings", () => {
  it("follow each other's defaults", async ({ expect }) => {
    const { config } = await load();
    expect(config).toMatchObject({
      dataDir: path.join(homeDir, ".lighterman"),
      workspaceRoot: path.join(homeDir, ".lighterman/workspaces"),
      startConcurrency: 4,
      api: { requestTimeoutMs: 60_000, deadlineMs: 60_000 },
      log: { format: "auto", level: "INFO" },
    });
    const env = {
      XDG_STATE_HOME: "/state",
      PREFECT_WORKER_DEBUG_MODE: "t",
      PREFECT_API_REQUEST_TIMEOUT: "5",
    };
    const other = await load({ env, cpuCount: 1 });
    expect(other.config).toMatchObject({
      dataDir: "/state/lighterman",
      startConcurrency: 2,
      api: { deadlineMs: 5000 },
      log: { level: "DEBUG" },
      logging: { level: "INFO" },
    });
    expect((await load({ env: { PREFECT_DEBUG_MODE: "1" } })).config.logging.level).toBe("DEBUG");
  });

  it("cap the size of logs for Prefect Cloud", async ({ expect }) => {
    const url = "https://api.prefect.cloud/api/accounts/a/workspaces/b";
    expect((await load({ env: { PREFECT_API_URL: url } })).config.logging.toApi.maxLogSize).toBe(25_000);
  });

  it("count relative paths from the config file, and elsewhere from the current directory", async ({
    expect,
  }) => {
    await mkdir(path.join(cwd, "etc"));
    await write("etc/worker.yaml", "data_dir: data\nworkspace_root: ~/ws\npython: ./bin/python\n");
    const { config } = await load({ configFile: "etc/worker.yaml", flags: { baseJobTemplate: "t.json" } });
    expect(config.dataDir).toBe(path.join(cwd, "etc/data"));
    expect(config.workspaceRoot).toBe(path.join(homeDir, "ws"));
    expect(config.python).toBe(path.join(cwd, "etc/bin/python"));
    expect(config.worker.baseJobTemplate).toBe(path.join(cwd, "t.json"));
    expect((await load({ flags: { python: "python3.12" } })).config.python).toBe("python3.12");
  });

  it("take proxies and certificates from the environment", async ({ expect }) => {
    await write("prefect.toml", '[api]\nssl_cert_file = "below.pem"\n');
    const env = {
      HTTPS_PROXY: "http://upper:1",
      https_proxy: "http://lower:1",
      HTTP_PROXY: "http://h:1",
      ALL_PROXY: "socks5://a:1",
      no_proxy: "",
      NO_PROXY: "localhost",
      SSL_CERT_FILE: "/custom/ca.pem",
    };
    const { config, prefectSettings } = await load({ env });
    expect(config.proxy).toEqual({
      https: "http://lower:1",
      http: "http://h:1",
      all: "socks5://a:1",
      no: undefined,
    });
    expect(config.api.sslCertFile).toBe(path.join(cwd, "below.pem"));
    expect(prefectSettings["PREFECT_API_SSL_CERT_FILE"]).toBe("below.pem");
    await rm(path.join(cwd, "prefect.toml"));
    expect((await load({ env })).config.api.sslCertFile).toBe("/custom/ca.pem");
    expect((await load({ env: { ...env, REQUEST_METHOD: "GET" } })).config.proxy.http).toBeUndefined();
  });
});
