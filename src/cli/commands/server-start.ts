import { addSettingFlags } from "../../config/flags.ts";
import { exitCodeOf, listenForSignals } from "../../lifecycle/shutdown.ts";
import { startEmbeddedServer } from "../embedded-server.ts";
import { readSettings } from "../session.ts";

import type { Command } from "commander";

import type { FlagValues } from "../../config/flags.ts";
import type { Io } from "../io.ts";
import type { StatusFlags } from "../server-status.ts";

const HELP = `
Serves the Prefect API, and a web page at its root, from this one process, with its data in one SQLite file: for development, edge
boxes, tests and single machines. Prefect's engine, its Python client, the \`prefect\` command and any worker can use it:

  $ lighterman server start
  $ export PREFECT_API_URL=http://127.0.0.1:4200/api

Whoever outgrows one machine points PREFECT_API_URL at a Prefect server on PostgreSQL or at Prefect Cloud and changes nothing else.
\`lighterman worker start --pool P\` without an API URL starts this server in the worker's own process.

Only this machine can reach it unless --host says otherwise; then PREFECT_SERVER_API_AUTH_STRING=user:password is demanded
(clients send it as PREFECT_API_AUTH_STRING), or --insecure. Put a proxy with TLS in front of it on networks you do not trust.
`;

/** \`lighterman server start\`, in place of \`prefect server start\`. */
export function addServerCommand(program: Command, io: Io, finish: (exitCode: number) => void): void {
  const server = program.command("server").description("serve the Prefect API on this machine");
  const start = server.command("start").description("start a server").addHelpText("after", HELP);
  addSettingFlags(start, ["log", "server"]);
  start.action(async (flags: FlagValues) => {
    const { config, logger, warnings } = await readSettings(io, flags);
    for (const warning of warnings) logger.warn(warning);
    const running = await startEmbeddedServer(config, logger);
    logger.info(
      { apiUrl: running.apiUrl, url: running.url, dataDir: config.server.dataDir },
      `Serving the Prefect API at ${running.apiUrl}, the page at ${running.url}, data in ${config.server.dataDir}. Stop with Ctrl-C`,
    );
    let unlisten: () => void = () => undefined;
    await new Promise<void>((resolve) => {
      unlisten = listenForSignals(io.signals, {
        first(signal) {
          logger.info(`Received ${signal}: stopping`);
          resolve();
        },
        second: (signal) => io.exit(exitCodeOf(signal)),
        third: (code) => io.exit(code),
      });
    });
    await running.close();
    unlisten();
    finish(0);
  });
  addStatusCommand(server, io, finish);
}

/** `lighterman server status`, as `prefect server status`. */
function addStatusCommand(server: Command, io: Io, finish: (exitCode: number) => void): void {
  const status = server
    .command("status")
    .description("tell whether the configured server, or the one on this machine, is available")
    .option("--wait", "wait until it is")
    .option("-t, --timeout <SECONDS>", "wait no longer than this (default: 0, for ever)", Number)
    .option("--json", "print JSON, and nothing else")
    .option("-o, --output <FORMAT>", "the same, in Prefect's words");
  addSettingFlags(status, ["all", "server"]);
  status.action(async (flags: StatusFlags) => {
    const { tellServerStatus } = await import("../server-status.ts");
    finish(await tellServerStatus(io, flags));
  });
}
