import { addSettingFlags } from "../../config/flags.ts";
import { exitCodeOf, listenForSignals } from "../../lifecycle/shutdown.ts";
import { findLocalServer, reachDirectly, startEmbeddedServer } from "../embedded-server.ts";
import { openSession, readSettings, sessionOf } from "../session.ts";
import { assembleWorker } from "../worker-assembly.ts";

import type { Command } from "commander";

import type { FlagValues } from "../../config/flags.ts";
import type { Session } from "../session.ts";
import type { Io } from "../io.ts";

const HELP = `
Serves a work pool in place of \`prefect worker start\`: takes its scheduled flow runs, runs their pull steps, and starts each as
a process or, with --type docker or on a docker pool, in a container of the engine that DOCKER_HOST or Docker's context names.
Settings come from flags, the environment (PREFECT_…, LIGHTERMAN_…), --config FILE, .env, prefect.toml, pyproject.toml and the
active Prefect profile, in this order. Without an API URL in any of them, the embedded server is started in the same process
(see \`lighterman server start --help\`).

The first Ctrl-C (SIGTERM, SIGINT) takes no more runs and lets those in progress end; after --drain-timeout they are handed back to
the server; containers go on, and the next worker takes them over. The second ends them now and reports it; the third leaves at once.

Examples:
  $ lighterman worker start --pool my-pool
  $ worker start -p my-pool -q high -q low --limit 8
  $ DOCKER_HOST=unix:///run/podman/podman.sock worker start -p my-docker-pool --type docker
  $ PREFECT_API_URL=http://127.0.0.1:4200/api lighterman worker start --pool my-pool --python /opt/flows/bin/python
`;

/** \`lighterman worker start\`, with the flags of \`prefect worker start\` (protocol §1.2) and our own. */
export function addWorkerCommand(program: Command, io: Io, finish: (exitCode: number) => void): void {
  const worker = program.command("worker").description("serve a work pool");
  const start = worker.command("start").description("start a worker").addHelpText("after", HELP);
  addSettingFlags(start, ["all", "worker", "flow", "server"]);
  start.action(async (flags: FlagValues) => {
    const settings = await readSettings(io, flags, ["worker.pool"]);
    const { config, logger } = settings;
    if (config.api.url !== undefined) {
      finish(await startWorker(sessionOf(settings), io));
      return;
    }
    const apiUrl = await findLocalServer(config);
    if (apiUrl !== undefined) {
      finish(await startWorker(await openSession(io, { ...flags, apiUrl }), io));
      return;
    }
    const server = await startEmbeddedServer(config, logger);
    try {
      logger.info(
        { apiUrl: server.apiUrl },
        `No API URL is configured: this process also serves the API, at ${server.apiUrl}, and the page at ${server.url} (data in ${config.server.dataDir})`,
      );
      const { authString } = config.server;
      const login = authString === undefined ? {} : { PREFECT_API_AUTH_STRING: authString };
      const ownIo = { ...io, env: { ...reachDirectly(io.env), ...login } };
      finish(await startWorker(await openSession(ownIo, { ...flags, apiUrl: server.apiUrl }), ownIo));
    } finally {
      await server.close();
    }
  });
}

async function startWorker(session: Session, io: Io): Promise<number> {
  try {
    return await serve(session, io);
  } finally {
    await session.close();
  }
}

async function serve(session: Session, io: Io): Promise<number> {
  const { logger } = session;
  const assembly = await assembleWorker(session, io);
  let exitCode = 0;
  const unlisten = listenForSignals(io.signals, {
    first(signal) {
      logger.info(`Received ${signal}: stopping`);
      assembly.worker.stop();
    },
    second(signal) {
      logger.warn(`Received ${signal} again: ending all flow runs now`);
      exitCode = exitCodeOf(signal);
      assembly.worker.kill();
    },
    third: (code) => io.exit(code),
  });
  try {
    await assembly.worker.run();
    return exitCode;
  } finally {
    await assembly.close();
    unlisten();
  }
}
