import path from "node:path";

import type { ProxySettings } from "./proxy.ts";
import type { SettingValues } from "./settings.ts";

type LogLevel = SettingValues["logging.level"];

/** The settings as the rest of the product sees them: times in milliseconds, paths absolute, everything checked. */
export interface Config {
  readonly api: {
    /** Without a trailing slash. */
    readonly url: string | undefined;
    readonly key: string | undefined;
    readonly authString: string | undefined;
    readonly tlsInsecureSkipVerify: boolean;
    readonly sslCertFile: string | undefined;
    readonly requestTimeoutMs: number;
    readonly deadlineMs: number;
  };
  readonly client: {
    readonly customHeaders: Readonly<Record<string, string>>;
    readonly csrfSupportEnabled: boolean;
    readonly maxRetries: number;
    readonly retryJitterFactor: number;
    readonly retryExtraCodes: readonly number[];
    readonly serverVersionCheckEnabled: boolean;
  };
  readonly cloud: { readonly apiUrl: string | undefined; readonly maxLogSize: number };
  readonly proxy: ProxySettings;
  readonly worker: {
    readonly pool: string | undefined;
    readonly name: string | undefined;
    /** Empty: all queues of the pool. */
    readonly workQueues: readonly string[];
    readonly type: string | undefined;
    readonly limit: number | undefined;
    readonly runOnce: boolean;
    readonly withHealthcheck: boolean;
    readonly installPolicy: SettingValues["worker.install_policy"];
    readonly baseJobTemplate: string | undefined;
    readonly createPoolIfNotFound: boolean;
    readonly heartbeatMs: number;
    readonly queryMs: number;
    readonly prefetchMs: number;
    readonly enableCancellation: boolean;
    readonly cancellationPollMs: number;
    readonly webserver: { readonly host: string; readonly port: number };
    readonly debugMode: boolean;
  };
  /** A bare name to look up on PATH, or an absolute path; undefined: `$VIRTUAL_ENV`, then `python3`. */
  readonly python: string | undefined;
  readonly drainTimeoutMs: number;
  readonly killGraceMs: number;
  /** For the runs in hand; `worker.cancellationPollMs` is Prefect's, for the whole pool. */
  readonly cancellationPollMs: number;
  readonly startConcurrency: number;
  readonly dataDir: string;
  readonly server: {
    readonly host: string;
    readonly port: number;
    readonly authString: string | undefined;
    readonly dataDir: string;
    readonly missedHeartbeats: number;
    readonly insecure: boolean;
  };
  readonly deployments: {
    /** Undefined: each deployment has to name its own. */
    readonly defaultWorkPoolName: string | undefined;
  };
  readonly workspaceRoot: string;
  /** Where the Python environments are that runs share. */
  readonly environmentsDir: string;
  readonly housekeeping: {
    readonly cron: string | undefined;
    readonly keepEnvironmentsMs: number;
    readonly keepContainersMs: number;
    readonly maxContainers: number;
  };
  readonly log: { readonly format: SettingValues["log.format"]; readonly level: LogLevel };
  readonly debugMode: boolean;
  readonly logging: {
    readonly level: LogLevel;
    readonly toApi: {
      readonly enabled: boolean;
      readonly batchIntervalMs: number;
      readonly batchSize: number;
      readonly maxLogSize: number;
    };
  };
  readonly flows: { readonly heartbeatFrequencyMs: number };
  readonly runner: {
    readonly autoInstallDependencies: boolean;
    readonly crashOnCancellationFailure: boolean;
  };
}

/** What computed defaults depend on. */
export interface ConfigSurroundings {
  readonly homeDir: string;
  readonly cpuCount: number;
  /** `$XDG_STATE_HOME`; only an absolute one counts. */
  readonly stateHome: string | undefined;
  /** `$SSL_CERT_FILE`, absolute. */
  readonly sslCertFile: string | undefined;
  readonly proxy: ProxySettings;
}

/** Gives every parsed setting its place, and computes the defaults that depend on others. */
export function compileConfig(values: SettingValues, surroundings: ConfigSurroundings): Config {
  const isDebug = values.debug_mode;
  const loggingLevel: LogLevel = isDebug ? "DEBUG" : values["logging.level"];
  const dataDir = values.data_dir ?? defaultDataDir(surroundings);
  return {
    api: {
      url: values["api.url"],
      key: values["api.key"],
      authString: values["api.auth_string"],
      tlsInsecureSkipVerify: values["api.tls_insecure_skip_verify"],
      sslCertFile: values["api.ssl_cert_file"] ?? surroundings.sslCertFile,
      requestTimeoutMs: values["api.request_timeout"],
      deadlineMs: values["api.deadline"] ?? values["api.request_timeout"],
    },
    client: {
      customHeaders: values["client.custom_headers"],
      csrfSupportEnabled: values["client.csrf_support_enabled"],
      maxRetries: values["client.max_retries"],
      retryJitterFactor: values["client.retry_jitter_factor"],
      retryExtraCodes: values["client.retry_extra_codes"],
      serverVersionCheckEnabled: values["client.server_version_check_enabled"],
    },
    cloud: { apiUrl: values["cloud.api_url"], maxLogSize: values["cloud.max_log_size"] },
    proxy: surroundings.proxy,
    worker: {
      pool: values["worker.pool"],
      name: values["worker.name"],
      workQueues: values["worker.work_queues"],
      type: values["worker.type"],
      limit: values["worker.limit"],
      runOnce: values["worker.run_once"],
      withHealthcheck: values["worker.with_healthcheck"],
      installPolicy: values["worker.install_policy"],
      baseJobTemplate: values["worker.base_job_template"],
      createPoolIfNotFound: values["worker.create_pool_if_not_found"],
      heartbeatMs: values["worker.heartbeat_seconds"],
      queryMs: values["worker.query_seconds"],
      prefetchMs: values["worker.prefetch_seconds"],
      enableCancellation: values["worker.enable_cancellation"],
      cancellationPollMs: values["worker.cancellation_poll_seconds"],
      webserver: {
        host: values["worker.webserver.host"] ?? "",
        port: values["worker.webserver.port"],
      },
      debugMode: values["worker.debug_mode"],
    },
    python: values.python,
    drainTimeoutMs: values.drain_timeout,
    killGraceMs: values.kill_grace,
    cancellationPollMs: values.cancellation_poll,
    startConcurrency: values.start_concurrency ?? Math.max(2, surroundings.cpuCount),
    dataDir,
    server: {
      host: values["server.api.host"] ?? "",
      port: values["server.api.port"],
      authString: values["server.api.auth_string"],
      dataDir: values["server.data"] ?? path.join(dataDir, "server"),
      missedHeartbeats: values["server.missed_heartbeats"],
      insecure: values["server.insecure"],
    },
    deployments: { defaultWorkPoolName: values["deployments.default_work_pool_name"] },
    workspaceRoot: values.workspace_root ?? path.join(dataDir, "workspaces"),
    environmentsDir: path.join(dataDir, "environments"),
    housekeeping: {
      cron: values["housekeeping.cron"],
      keepEnvironmentsMs: values["housekeeping.keep_environments"],
      keepContainersMs: values["housekeeping.keep_containers"],
      maxContainers: values["housekeeping.max_containers"],
    },
    log: {
      format: values["log.format"],
      level: values["log.level"] ?? (values["worker.debug_mode"] ? "DEBUG" : loggingLevel),
    },
    debugMode: isDebug,
    logging: {
      level: loggingLevel,
      toApi: {
        enabled: values["logging.to_api.enabled"],
        batchIntervalMs: values["logging.to_api.batch_interval"],
        batchSize: values["logging.to_api.batch_size"],
        maxLogSize: maxLogSize(values),
      },
    },
    flows: { heartbeatFrequencyMs: values["flows.heartbeat_frequency"] },
    runner: {
      autoInstallDependencies: values["runner.auto_install_dependencies"],
      crashOnCancellationFailure: values["runner.crash_on_cancellation_failure"],
    },
  };
}

function defaultDataDir({ homeDir, stateHome }: ConfigSurroundings): string {
  return stateHome !== undefined && path.isAbsolute(stateHome)
    ? path.join(stateHome, "lighterman")
    : path.join(homeDir, ".lighterman");
}

/** Prefect Cloud refuses longer lines (prefect/settings/models/root.py: post_hoc_settings). */
function maxLogSize(values: SettingValues): number {
  const own = values["logging.to_api.max_log_size"];
  const cloudUrl = values["cloud.api_url"];
  const isCloud = cloudUrl !== undefined && values["api.url"]?.startsWith(cloudUrl) === true;
  return isCloud ? Math.min(own, values["cloud.max_log_size"]) : own;
}
