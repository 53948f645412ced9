import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";

import { afterAll, beforeAll, describe, it } from "vitest";

import { loadConfig } from "../../src/config/load.ts";
import { NEWER_NAMES } from "../../src/config/prefect-environment.ts";
import { SETTING_ENTRIES } from "../../src/config/settings.ts";

import type { Config } from "../../src/config/config.ts";

const python = process.env["LIGHTERMAN_TEST_PYTHON3"] ?? path.resolve(".venvs/prefect3/bin/python");

const DUMP_SETTINGS = `
import json
from prefect.settings import get_current_settings
s = get_current_settings()
secret = lambda value: value.get_secret_value() if value else None
print(json.dumps({
    "resolved": {
        "url": (s.api.url or "").rstrip("/") or None,
        "key": secret(s.api.key),
        "authString": secret(s.api.auth_string),
        "tlsInsecureSkipVerify": s.api.tls_insecure_skip_verify,
        "sslCertFile": s.api.ssl_cert_file,
        "requestTimeout": s.api.request_timeout,
        "customHeaders": s.client.custom_headers,
        "csrf": s.client.csrf_support_enabled,
        "maxRetries": s.client.max_retries,
        "jitter": s.client.retry_jitter_factor,
        "extraCodes": sorted(s.client.retry_extra_codes),
        "versionCheck": s.client.server_version_check_enabled,
        "query": s.worker.query_seconds,
        "heartbeat": s.worker.heartbeat_seconds,
        "prefetch": s.worker.prefetch_seconds,
        "cancellation": [s.worker.enable_cancellation, s.worker.cancellation_poll_seconds],
        "webserver": [s.worker.webserver.host, s.worker.webserver.port],
        "level": s.logging.level,
        "toApi": [s.logging.to_api.enabled, s.logging.to_api.batch_interval, s.logging.to_api.batch_size,
                  s.logging.to_api.max_log_size],
        "flowHeartbeat": s.flows.heartbeat_frequency,
        "runner": [s.runner.auto_install_dependencies, s.runner.crash_on_cancellation_failure],
    },
    "set": s.to_environment_variables(exclude_unset=True),
}))
`;

const DUMP_MODEL = `
import json
from pydantic import AliasChoices
from prefect.settings.base import PrefectBaseSettings
from prefect.settings.models.root import Settings
fields, aliases = {}, {}
def walk(model, path):
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, PrefectBaseSettings):
            walk(kind, path + [name])
            continue
        names = [f"{model.model_config['env_prefix']}{name.upper()}"]
        if isinstance(field.validation_alias, AliasChoices):
            names = [choice.upper() for choice in field.validation_alias.choices if isinstance(choice, str)]
        header = list(model.model_config["prefect_toml_table_header"])
        default = field.get_default(call_default_factory=field.default_factory in (set, dict))
        default = sorted(default) if isinstance(default, set) else default
        fields[".".join(header + [name])] = {"names": names, "default": default}
        if path[:1] != ["server"] and path[:1] != ["testing"]:
            aliases.update({alias: names[0] for alias in names[1:]})
walk(Settings, [])
print(json.dumps({"fields": fields, "aliases": aliases}, default=lambda value: None))
`;

interface Case {
  readonly title: string;
  readonly profiles?: string;
  readonly files?: Readonly<Record<string, string>>;
  readonly env?: Readonly<Record<string, string>>;
}

const cases: readonly Case[] = [
  { title: "nothing set" },
  {
    title: "a profile",
    profiles: `active = "mine"
[profiles.mine]
PREFECT_API_URL = "http://profile:4200/api"
PREFECT_API_KEY = "pnu_profile"
PREFECT_WORKER_QUERY_SECONDS = 5
PREFECT_CLIENT_CUSTOM_HEADERS = '{"X-A": "1"}'
PREFECT_RESULTS_PERSIST_BY_DEFAULT = true
PREFECT_LOCAL_STORAGE_PATH = "/old/storage"
PREFECT_RUNNER_HEARTBEAT_FREQUENCY = "45"
[profiles.other]
PREFECT_API_URL = "http://other:4200/api"
`,
    env: { PREFECT_FLOWS_DEFAULT_RETRIES: "1_0" },
  },
  {
    title: "a profile by name",
    profiles: `active = "mine"\n[profiles.mine]\n[profiles.other]\nPREFECT_API_URL = "http://other:4200/api/"\n`,
    env: { PREFECT_PROFILE: "other" },
  },
  {
    title: "an unknown profile",
    profiles: `active = "mine"\n[profiles.mine]\nPREFECT_API_URL = "http://mine:4200/api"\n`,
    env: { PREFECT_PROFILE: "unknown" },
  },
  { title: "a built-in profile", env: { PREFECT_PROFILE: "local" } },
  {
    title: "prefect.toml over pyproject.toml over a profile",
    profiles: `active = "p"\n[profiles.p]\nPREFECT_API_URL = "http://p/api"\nPREFECT_CLIENT_MAX_RETRIES = "1"\nPREFECT_API_AUTH_STRING = "a:b"\n`,
    files: {
      "pyproject.toml": `[project]\nname = "x"\n[tool.prefect]\ndebug_mode = true\n[tool.prefect.client]\nmax_retries = 2\nretry_jitter_factor = 1\nretry_extra_codes = [500, 504]\n[tool.prefect.tasks]\ndefault_retry_delay_seconds = [1, 2.5]\n`,
      "prefect.toml": `[client]\nmax_retries = 3\ncsrf_support_enabled = false\n[client.custom_headers]\nX-B = "2"\n[worker]\nheartbeat_seconds = 12.5\nprefetch_seconds = "7"\n[worker.webserver]\nport = 9090\n[logging]\nextra_loggers = ["b", "a"]\n[logging.to_api]\nbatch_interval = 0.5\nmax_log_size = 1234\n[api]\nrequest_timeout = 5\ntls_insecure_skip_verify = 1\nssl_cert_file = "/etc/ca.pem"\n`,
    },
  },
  {
    title: ".env over prefect.toml",
    files: {
      "prefect.toml": `[api]\nurl = "http://toml/api"\nkey = "pnu_toml"\n[client]\nretry_extra_codes = "500"\n`,
      ".env":
        "export PREFECT_API_URL=\"http://${NAME}/api\" # here\nprefect_api_key=abc#def\nPREFECT_CLIENT_RETRY_EXTRA_CODES=501, 502\nPREFECT_LOGGING_LEVEL=debug\nBROKEN\nPREFECT_WORKER_ENABLE_CANCELLATION='Yes'\n",
    },
    env: { NAME: "from-env" },
  },
  {
    title: "the environment over all",
    profiles: `active = "p"\n[profiles.p]\nPREFECT_API_URL = "http://p/api"\nPREFECT_FLOWS_HEARTBEAT_FREQUENCY = "99"\n`,
    files: {
      "prefect.toml": `[api]\nurl = "http://toml/api"\n[flows]\nheartbeat_frequency = 77\n`,
      ".env": "PREFECT_API_URL=http://dotenv/api\n",
    },
    env: {
      PREFECT_API_URL: "http://env/api",
      prefect_worker_query_seconds: "1e1",
      PREFECT_RUNNER_HEARTBEAT_FREQUENCY: "44",
      PREFECT_CLIENT_CUSTOM_HEADERS: '"{\\"X-C\\": \\"3\\"}"',
      PREFECT_RUNNER_AUTO_INSTALL_DEPENDENCIES: "T",
      PREFECT_TASKS_DEFAULT_RETRIES: "3",
    },
  },
  {
    title: "an empty text",
    profiles: `active = "p"\n[profiles.p]\nPREFECT_API_URL = "http://p/api"\nPREFECT_CLIENT_RETRY_EXTRA_CODES = "500"\n`,
    env: { PREFECT_API_URL: "", PREFECT_CLIENT_RETRY_EXTRA_CODES: "" },
  },
  {
    title: "profiles elsewhere, and Prefect Cloud",
    files: {
      ".env": "PREFECT_PROFILES_PATH=elsewhere.toml\n",
      "elsewhere.toml": `active = "c"\n[profiles.c]\nPREFECT_API_URL = "https://api.prefect.cloud/api/accounts/a/workspaces/b"\n`,
    },
  },
];

let root = "";

beforeAll(async () => {
  root = await mkdtemp(path.join(tmpdir(), "lighterman-settings-"));
});

afterAll(() => rm(root, { recursive: true, force: true }));

describe("settings against the installed Prefect", () => {
  it.for(cases.map((value, index) => [value.title, value, index] as const))(
    "%s",
    async ([, { profiles, files = {}, env = {} }, index], { expect }) => {
      const homeDir = path.join(root, `home-${index}`);
      const cwd = path.join(root, `project-${index}`);
      await mkdir(path.join(homeDir, ".prefect"), { recursive: true });
      await mkdir(cwd);
      if (profiles !== undefined) await writeFile(path.join(homeDir, ".prefect/profiles.toml"), profiles);
      for (const [name, text] of Object.entries(files)) await writeFile(path.join(cwd, name), text);

      const theirs = await runPython(DUMP_SETTINGS, cwd, { ...env, HOME: homeDir });
      const { config, prefectSettings } = await loadConfig({ flags: {}, env, cwd, homeDir });
      expect(summarise(config)).toEqual(theirs["resolved"]);

      // A flow run that is given only our variables ends up with the very same settings.
      const emptyDir = path.join(root, `empty-${index}`);
      await mkdir(emptyDir);
      const { PREFECT_PROFILES_PATH: _, ...variables } = prefectSettings;
      const child = await runPython(DUMP_SETTINGS, emptyDir, { ...variables, HOME: emptyDir });
      expect(withoutPlaces(child["set"])).toEqual(withoutPlaces(theirs["set"]));
    },
  );

  it("uses Prefect's names, paths and defaults, and knows its older names", async ({ expect }) => {
    const model = await runPython(DUMP_MODEL, root, { HOME: root });
    const fields = model["fields"] as Record<
      string,
      { names: readonly string[]; default: unknown } | undefined
    >;
    const place = { baseDir: "/", homeDir: "/" };
    for (const { key, name, setting } of SETTING_ENTRIES.filter(
      (entry) => entry.setting.owner === "prefect",
    )) {
      const field = fields[key];
      expect(field?.names, key).toEqual([name, ...setting.deprecatedNames]);
      const parsed = (raw: unknown): unknown =>
        raw === undefined || raw === null ? undefined : setting.type.parse(raw, place)?.value;
      expect(parsed(setting.default), key).toEqual(parsed(field?.default));
    }
    expect(Object.fromEntries(NEWER_NAMES)).toEqual(model["aliases"]);
  });
});

async function runPython(
  code: string,
  cwd: string,
  env: Readonly<Record<string, string>>,
): Promise<Record<string, unknown>> {
  const { stdout } = await promisify(execFile)(python, ["-W", "ignore", "-c", code], {
    cwd,
    env: { PATH: process.env["PATH"] ?? "", ...env },
  });
  return JSON.parse(stdout) as Record<string, unknown>;
}

/** Our settings in the shape of DUMP_SETTINGS. */
function summarise({ api, client, worker, logging, flows, runner }: Config): Record<string, unknown> {
  const { toApi } = logging;
  return {
    url: api.url ?? null,
    key: api.key ?? null,
    authString: api.authString ?? null,
    tlsInsecureSkipVerify: api.tlsInsecureSkipVerify,
    sslCertFile: api.sslCertFile ?? null,
    requestTimeout: api.requestTimeoutMs / 1000,
    customHeaders: client.customHeaders,
    csrf: client.csrfSupportEnabled,
    maxRetries: client.maxRetries,
    jitter: client.retryJitterFactor,
    extraCodes: client.retryExtraCodes,
    versionCheck: client.serverVersionCheckEnabled,
    query: worker.queryMs / 1000,
    heartbeat: worker.heartbeatMs / 1000,
    prefetch: worker.prefetchMs / 1000,
    cancellation: [worker.enableCancellation, worker.cancellationPollMs / 1000],
    webserver: [worker.webserver.host, worker.webserver.port],
    level: logging.level,
    toApi: [toApi.enabled, toApi.batchIntervalMs / 1000, toApi.batchSize, toApi.maxLogSize],
    flowHeartbeat: flows.heartbeatFrequencyMs / 1000,
    runner: [runner.autoInstallDependencies, runner.crashOnCancellationFailure],
  };
}

/** Without what says where Prefect looks, and without the built-in profile that is active when there is no other. */
function withoutPlaces(settings: unknown): unknown {
  const {
    PREFECT_PROFILES_PATH: _,
    PREFECT_SERVER_EPHEMERAL_ENABLED: __,
    ...rest
  } = settings as Record<string, string>;
  return rest;
}
