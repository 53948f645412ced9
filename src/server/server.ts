import { join } from "node:path";

import { coerceError, WorkerError } from "../errors.ts";
import { systemClock } from "../lifecycle/clock.ts";
import { startLoop } from "../lifecycle/loop.ts";
import { Scope } from "../lifecycle/scope.ts";
import { Automations } from "./automations/automations.ts";
import { Channel } from "./events/channel.ts";
import { createApp } from "./http/app.ts";
import { attachWebSockets } from "./http/web-sockets.ts";
import { ROUTES, SOCKETS } from "./routes/index.ts";
import { lazySchemaTools } from "./schema-tools/tools.ts";
import { createServices } from "./services/index.ts";
import { DEFAULT_SERVER_SETTINGS } from "./settings.ts";
import { Database } from "./store/database.ts";
import { SecretBox } from "./store/secret-box.ts";

import type { AddressInfo } from "node:net";

import type { Clock } from "../lifecycle/clock.ts";
import type { Logger } from "../log/logger.ts";
import type { ServerContext, StoredLog } from "./context.ts";
import type { ServerEvent } from "./events/event.ts";
import type { Service } from "./services/service.ts";
import type { ServerSettings } from "./settings.ts";

export { DEFAULT_SERVER_SETTINGS } from "./settings.ts";

export interface ServerOptions {
  readonly settings: Partial<ServerSettings> & Pick<ServerSettings, "dataDirectory">;
  readonly logger: Logger;
  readonly clock?: Clock;
}

export interface RunningServer {
  /** The API's root, as `PREFECT_API_URL` wants it. */
  readonly apiUrl: string;
  /** Where the web page is. */
  readonly url: string;
  /** Answers what is in hand, stops the services and closes the database. */
  close(): Promise<void>;
}

/**
 * Starts the embedded server: one machine's Prefect API on SQLite. Resolves once it accepts connections. Throws a WorkerError
 * when the database is in use (DATABASE_UNUSABLE) or the port is taken (CONFIG_INVALID).
 */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const { logger, clock = systemClock } = options;
  const settings: ServerSettings = { ...DEFAULT_SERVER_SETTINGS, ...options.settings };
  const scope = new Scope();
  try {
    const database = await Database.open(join(settings.dataDirectory, "server.db"));
    scope.defer(() => database.close());
    const automations = new Automations();
    const context: ServerContext = {
      database,
      clock,
      logger,
      settings,
      secretBox: await SecretBox.open(join(settings.dataDirectory, "secret.key")),
      events: new Channel<ServerEvent>(),
      logs: new Channel<StoredLog>(),
      schemaTools: lazySchemaTools(),
      automations,
    };
    automations.start(context);
    scope.defer(() => automations.stop());
    const app = createApp(context, ROUTES);
    const sockets = attachWebSockets(app.server, context, SOCKETS);
    await app.listen({ host: settings.host, port: settings.port }).catch((thrown: unknown) => {
      throw inWords(thrown, settings);
    });
    scope.defer(async () => {
      sockets.close();
      await app.close();
    });
    for (const service of [...createServices(), automations.service]) startService(scope, context, service);
    const { port } = app.server.address() as AddressInfo;
    const url = `http://${settings.host.includes(":") ? `[${settings.host}]` : settings.host}:${port}`;
    return { url, apiUrl: `${url}/api`, close: () => scope.close() };
  } catch (thrown) {
    await scope.close();
    throw thrown;
  }
}

function startService(scope: Scope, context: ServerContext, service: Service): void {
  const { clock, logger } = context;
  scope.task(service.name, (signal) => {
    const loop = startLoop(
      async () => {
        const seconds = await service.tick(context);
        return seconds === undefined ? undefined : seconds * 1000;
      },
      {
        intervalMs: service.intervalSeconds(context) * 1000,
        clock,
        signal,
        onError: (error) =>
          logger.error({ err: error }, `The ${service.name} service failed; it will be tried again`),
      },
    );
    return loop.done;
  });
}

function inWords(thrown: unknown, { host, port }: ServerSettings): unknown {
  const code = (coerceError(thrown) as NodeJS.ErrnoException).code;
  if (code === "EADDRINUSE") {
    return new WorkerError("CONFIG_INVALID", `Port ${port} on ${host} is taken`, {
      cause: thrown,
      hint: "Another server may be running there: use it (PREFECT_API_URL), or choose another --port.",
    });
  }
  if (code === "EACCES" || code === "EADDRNOTAVAIL") {
    return new WorkerError("CONFIG_INVALID", `The server cannot listen on ${host}:${port} (${code})`, {
      cause: thrown,
      hint: "Choose an address of this machine and a port above 1023.",
    });
  }
  return thrown;
}
