import { describe, it } from "vitest";

import { containerEnvironment, runEnvironment } from "./environment.ts";
import { codeEnvironment } from "../steps/environment.ts";

import type { FlowRun } from "../api/types.ts";

const flowRun = { id: "run-1", flow_id: "flow-1", name: "bold-owl" } as FlowRun;

function environment(env: Readonly<Record<string, string | null>>): Record<string, string> {
  return runEnvironment({
    workerEnv: { PATH: "/bin", INHERITED: "yes", UNSET: undefined },
    prefectSettings: { PREFECT_API_URL: "http://api", PREFECT_LOGGING_LEVEL: "DEBUG" },
    workerName: "w",
    workerId: null,
    flowRun,
    flow: { id: "flow-1", name: "my-flow" },
    deployment: null,
    job: { env },
  });
}

describe("runEnvironment", () => {
  it("hands on the worker's environment, Prefect's settings and the ids; the job's env wins", ({
    expect,
  }) => {
    expect(environment({ PREFECT_LOGGING_LEVEL: "INFO", MINE: "1" })).toEqual({
      PATH: "/bin",
      INHERITED: "yes",
      PREFECT_API_URL: "http://api",
      PREFECT_LOGGING_LEVEL: "INFO",
      PREFECT__FLOW_RUN_ID: "run-1",
      PREFECT__WORKER_NAME: "w",
      PREFECT__FLOW_ID: "flow-1",
      PREFECT__FLOW_NAME: "my-flow",
      MINE: "1",
    });
  });

  it("takes a null as unset for settings, but keeps what the worker itself has", ({ expect }) => {
    const result = environment({ PREFECT_LOGGING_LEVEL: null, INHERITED: null });
    expect(result).not.toHaveProperty("PREFECT_LOGGING_LEVEL");
    expect(result["INHERITED"]).toBe("yes");
  });
});

describe("containerEnvironment", () => {
  it("hands on settings, but no file of the worker's own unless the job names one", ({ expect }) => {
    const handed = {
      prefectSettings: {
        PREFECT_API_URL: "http://127.0.0.1:4200/api",
        PREFECT_API_SSL_CERT_FILE: "/etc/ssl/own.pem",
        PREFECT_HOME: "/home/worker/.prefect",
        PREFECT_PROFILES_PATH: "/home/worker/profiles.toml",
        PREFECT_LOGGING_CONFIG_PATH: "/home/worker/logging.yml",
        PREFECT_LOGGING_SETTINGS_PATH: "/home/worker/logging.yml",
        PREFECT_LOGGING_LEVEL: "DEBUG",
        PREFECT_MEMO_STORE_PATH: "/home/worker/memo.toml",
        PREFECT_RESULTS_LOCAL_STORAGE_PATH: "/results",
      },
      workerName: "w",
      workerId: null,
      flowRun,
      flow: null,
      deployment: null,
      job: { env: { PREFECT_LOGGING_CONFIG_PATH: "/code/logging.yml" } },
    };
    expect(containerEnvironment(handed, { networks: ["own"], networkMode: null })).toEqual({
      PREFECT_API_URL: "http://host.docker.internal:4200/api",
      PREFECT_API_SSL_CERT_FILE: "/etc/ssl/own.pem",
      PREFECT_LOGGING_CONFIG_PATH: "/code/logging.yml",
      PREFECT_LOGGING_LEVEL: "DEBUG",
      PREFECT_RESULTS_LOCAL_STORAGE_PATH: "/results",
      PREFECT__FLOW_RUN_ID: "run-1",
      PREFECT__WORKER_NAME: "w",
      PREFECT__FLOW_ID: "flow-1",
    });
  });
});

describe("codeEnvironment", () => {
  it("puts the steps' directory in front of the import path and keeps the old one", ({ expect }) => {
    const code = { entrypoint: "flow.py:main", directory: "/code", pythonPath: ["/extra"] };
    expect(codeEnvironment({ PYTHONPATH: "/old" }, code)).toEqual({
      PREFECT__FLOW_ENTRYPOINT: "flow.py:main",
      PYTHONPATH: "/code:/extra:/old",
    });
    expect(codeEnvironment({}, { ...code, pythonPath: [] })["PYTHONPATH"]).toBe("/code");
  });
});
