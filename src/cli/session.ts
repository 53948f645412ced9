import { createPrefectClient } from "../api/client.ts";
import { loadConfig } from "../config/load.ts";
import { WorkerError } from "../errors.ts";
import { systemClock } from "../lifecycle/clock.ts";
import { parseLogLevel } from "../log/levels.ts";
import { createLogger } from "../log/logger.ts";
import { Redactor } from "../log/redactor.ts";
import { findLocalServer, localApiUrl } from "./embedded-server.ts";
import { version } from "./version.ts";

import type { AttemptNotice } from "../api/attempts.ts";
import type { PrefectClient } from "../api/client.ts";
import type { RetryNotice } from "../api/http.ts";
import type { Config } from "../config/config.ts";
import type { FlagValues } from "../config/flags.ts";
import type { LoadedConfig } from "../config/load.ts";
import type { SettingKey } from "../config/settings.ts";
import type { Logger } from "../log/logger.ts";
import type { Io } from "./io.ts";

/** What every command that talks to the API has at hand. */
export interface Session extends Settings {
  readonly client: PrefectClient;
  readonly apiUrl: string;
  /** Tells of every attempt of an API call from now on. */
  watchApi(watcher: ApiWatcher): void;
  close(): Promise<void>;
}

interface ApiWatcher {
  readonly onAttempt: (notice: AttemptNotice) => void;
  readonly onRetry: (notice: RetryNotice) => void;
}

/** The settings, and the log that they ask for. */
export interface Settings extends LoadedConfig {
  readonly logger: Logger;
  readonly redactor: Redactor;
}

/**
 * Reads the settings, opens the log and the API client. Where no API URL is configured, a server that runs on this machine
 * where the embedded one would be is used. Throws a WorkerError when there is none, or with everything that is wrong.
 */
export async function openSession(io: Io, flags: FlagValues): Promise<Session> {
  const settings = await readSettings(io, flags);
  const { config } = settings;
  if (config.api.url !== undefined) return sessionOf(settings);
  const apiUrl = await findLocalServer(config);
  if (apiUrl === undefined) {
    throw new WorkerError(
      "CONFIG_INVALID",
      `No API URL is configured, and no server answers at ${localApiUrl(config)}`,
      {
        hint: "Start one with `lighterman server start`, or set PREFECT_API_URL (or --api-url) to the address of yours.",
      },
    );
  }
  const authString = config.api.authString ?? config.server.authString;
  const env = authString === undefined ? io.env : { ...io.env, PREFECT_API_AUTH_STRING: authString };
  return sessionOf(await readSettings({ ...io, env }, { ...flags, apiUrl }));
}

/** Reads the settings and opens the log. Throws a ConfigError with everything that is wrong. */
export async function readSettings(
  io: Io,
  flags: FlagValues,
  required: readonly SettingKey[] = [],
): Promise<Settings> {
  const loaded = await loadConfig({ flags, env: io.env, cwd: io.cwd, homeDir: io.homeDir, required });
  const { config } = loaded;
  const redactor = new Redactor();
  for (const secret of secretsOf(config)) redactor.add(secret);
  const isTty = io.stderr.isTTY === true;
  const logger = createLogger({
    format: config.log.format === "auto" ? (isTty ? "pretty" : "json") : config.log.format,
    level: parseLogLevel(config.log.level) ?? "info",
    stream: io.log,
    redactor,
    isTty,
  });
  return { ...loaded, logger, redactor };
}

/** Opens the API client that the settings ask for. */
export function sessionOf(settings: Settings): Session {
  const { config, logger, warnings } = settings;
  for (const warning of warnings) logger.warn(warning);
  const watchers: ApiWatcher[] = [];
  const client = createPrefectClient({
    ...clientOptions(config, logger, watchers),
    apiUrl: config.api.url ?? "",
  });
  return {
    ...settings,
    client,
    apiUrl: client.apiUrl,
    watchApi: (watcher) => void watchers.push(watcher),
    close: () => client.close(),
  };
}

function clientOptions(
  config: Config,
  logger: Logger,
  watchers: readonly ApiWatcher[],
): Omit<Parameters<typeof createPrefectClient>[0], "apiUrl"> {
  const { api, client, proxy } = config;
  return {
    apiKey: api.key,
    authString: api.authString,
    customHeaders: client.customHeaders,
    csrfEnabled: client.csrfSupportEnabled && !isCloud(config),
    maxRetries: client.maxRetries,
    retryJitterFactor: client.retryJitterFactor,
    retryExtraCodes: client.retryExtraCodes,
    requestTimeoutMs: api.deadlineMs,
    tls: { insecureSkipVerify: api.tlsInsecureSkipVerify, caFile: api.sslCertFile },
    proxies: { httpProxy: proxy.http, httpsProxy: proxy.https, allProxy: proxy.all, noProxy: proxy.no },
    userAgentVersion: version,
    clock: systemClock,
    onAttempt: (notice) => {
      for (const watcher of watchers) watcher.onAttempt(notice);
    },
    onRetry: (notice) => {
      const { method, path, attempt, delayMs, error } = notice;
      logger.debug({ method, path, attempt, delayMs, err: error }, "An API call is tried again");
      for (const watcher of watchers) watcher.onRetry(notice);
    },
    onUndecodable: (problem) =>
      logger.warn({ problem }, "A part of an API answer could not be understood and is left out"),
  };
}

export function isCloud(config: Config): boolean {
  const { cloud, api } = config;
  return cloud.apiUrl !== undefined && api.url?.startsWith(cloud.apiUrl) === true;
}

function secretsOf({ api, client, server }: Config): string[] {
  const { key, authString } = api;
  const password = authString?.slice(authString.indexOf(":") + 1);
  const headers = Object.values(client.customHeaders).filter((value) => value.length >= 8);
  return [key, authString, password, server.authString, ...headers].filter((secret) => secret !== undefined);
}
