import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fastify from "fastify";
import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { systemClock } from "../../src/lifecycle/clock.ts";
import { Automations } from "../../src/server/automations/automations.ts";
import { Channel } from "../../src/server/events/channel.ts";
import { lazySchemaTools } from "../../src/server/schema-tools/tools.ts";
import { ROUTES } from "../../src/server/routes/index.ts";
import { DEFAULT_SERVER_SETTINGS } from "../../src/server/settings.ts";
import { Database } from "../../src/server/store/database.ts";
import { SecretBox } from "../../src/server/store/secret-box.ts";
import { AsyncDisposables } from "../support/disposables.ts";
import { EmbeddedServer } from "../support/embedded-server.ts";
import { PrefectServer } from "../support/prefect-server.ts";
import { differences } from "./shapes/compare.ts";
import { hold } from "./shapes/conversation.ts";
import { CONVERSATIONS } from "./shapes/conversations.ts";
import { endpointTable, routeOf, withoutNames } from "./shapes/endpoint-table.ts";
import { play } from "./shapes/play.ts";
import { SCENARIO } from "./shapes/scenario.ts";
import type { ServerContext } from "../../src/server/context.ts";
import type { Answer } from "./shapes/call.ts";
import type { Course } from "./shapes/conversation.ts";
import type { Player } from "./shapes/play.ts";

const auth = "user:pass";

interface Played {
  readonly answers: readonly Answer[];
  readonly courses: readonly Course[];
}

const disposables = new AsyncDisposables();
let real: Played;
let ours: Played;
/** As in `GET /flows/{id}`. */
let realRoutes: readonly string[];

async function playAll(player: Player): Promise<Played> {
  const answers = await play(player, SCENARIO);
  const courses: Course[] = [];
  for (const conversation of CONVERSATIONS) courses.push(await hold(player, conversation));
  return { answers, courses };
}

async function openApiRoutes(server: PrefectServer): Promise<readonly string[]> {
  const response = await fetch(new URL("/openapi.json", server.url));
  const { paths } = (await response.json()) as { paths: Record<string, Record<string, unknown>> };
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  );
}

beforeAll(async () => {
  const [prefect, embedded] = await Promise.all([
    PrefectServer.start({
      env: {
        PREFECT_SERVER_API_AUTH_STRING: auth,
        // Both begin empty, and nothing happens by itself while the scenario is played.
        PREFECT_API_BLOCKS_REGISTER_ON_START: "false",
        PREFECT_SERVER_SERVICES_LATE_RUNS_ENABLED: "false",
        PREFECT_SERVER_SERVICES_SCHEDULER_ENABLED: "false",
        PREFECT_SERVER_SERVICES_EVENT_PERSISTER_FLUSH_INTERVAL: "0.2",
        // Off there by default, always on here.
        PREFECT_SERVER_LOGS_STREAM_OUT_ENABLED: "true",
        PREFECT_SERVER_LOGS_STREAM_PUBLISHING_ENABLED: "true",
      },
    }).then((server) => disposables.use(server)),
    EmbeddedServer.start({ env: { PREFECT_SERVER_API_AUTH_STRING: auth } }).then((server) =>
      disposables.use(server),
    ),
  ]);
  realRoutes = await openApiRoutes(prefect);
  [real, ours] = await Promise.all([
    playAll({ url: prefect.url, auth }),
    playAll({ url: embedded.url, auth }),
  ]);
});

afterAll(() => disposables.dispose());

describe("the embedded server answers as Prefect 3.8.8", () => {
  const calls = SCENARIO.map((call, index) => ({ call, index, title: `${index + 1}. ${call.request}` }));

  it.each(calls)("$title", ({ call, index }) => {
    const [there, here] = [real.answers[index], ours.answers[index]];
    if (there === undefined || here === undefined) throw new Error("The call was not played");
    expect(differences(call, there, here)).toEqual([]);
  });

  it.each(CONVERSATIONS.map((conversation, index) => ({ title: conversation.title, index })))(
    "WebSocket $title",
    ({ index }) => {
      expect(ours.courses[index]).toEqual(real.courses[index]);
    },
  );
});

describe("the table of endpoints in src/server/README.md", () => {
  const table = endpointTable();
  const servedRoutes = table.filter(({ served }) => served !== "absent").map(({ route }) => route);

  it("has every endpoint of the real server once, and no others", () => {
    const routes = table.map(({ route }) => withoutNames(route));
    expect(routes.toSorted()).toEqual(realRoutes.map((route) => withoutNames(route)).toSorted());
  });

  it("calls served what is served, and absent what is not", async () => {
    expect((await registeredRoutes()).toSorted()).toEqual(
      servedRoutes.map((route) => withoutNames(route)).toSorted(),
    );
  });

  it("is borne out by the scenario: each served endpoint is called, with success and, where it can fail, without", () => {
    const statuses = new Map<string, Set<"success" | "error">>();
    for (const { request, status } of real.answers) {
      const route = routeOf(request, servedRoutes);
      // A request without credentials gets nowhere.
      if (route === undefined || status === 401 || status === 405) continue;
      const seen = statuses.get(route) ?? new Set();
      statuses.set(route, seen.add(status < 300 ? "success" : "error"));
    }
    const comparable = servedRoutes.filter((route) => !NOT_COMPARED.test(route));
    const wanted = comparable.flatMap((route) => {
      const canFail = !route.startsWith("GET") || route.includes("{");
      const seen = statuses.get(route) ?? new Set();
      const missing = [
        ...(seen.has("success") || ALWAYS_FAILS.has(route) ? [] : [`${route}: no success`]),
        ...(seen.has("error") || !canFail || NEVER_FAILS.has(route) ? [] : [`${route}: no error`]),
      ];
      return missing;
    });
    expect(wanted).toEqual([]);
  });
});

/** Without CSRF protection there is no token. */
const ALWAYS_FAILS: ReadonlySet<string> = new Set(["GET /csrf-token"]);
/** Nothing in a request can be wrong. */
const NEVER_FAILS: ReadonlySet<string> = new Set([
  "DELETE /admin/storage",
  "POST /block_types/install_system_block_types",
  "GET /automations/related-to/{resource_id}",
  "DELETE /automations/owned-by/{resource_id}",
]);
/** With the installed SQLAlchemy a real 3.8.8 answers 503: its bulk delete of runs fails. A component test covers ours. */
const NOT_COMPARED = /^POST \/deployments\/\{\w+\}\/schedule$/u;

/** The routes that the embedded server registers with Fastify. */
async function registeredRoutes(): Promise<readonly string[]> {
  const dataDirectory = await mkdtemp(join(tmpdir(), "routes-"));
  const database = await Database.open(join(dataDirectory, "server.db"));
  const context: ServerContext = {
    database,
    clock: systemClock,
    logger: pino({ level: "silent" }),
    settings: { ...DEFAULT_SERVER_SETTINGS, dataDirectory },
    secretBox: await SecretBox.open(join(dataDirectory, "secret.key")),
    events: new Channel(),
    logs: new Channel(),
    schemaTools: lazySchemaTools(),
    automations: new Automations(),
  };
  const app = fastify();
  const routes: string[] = [];
  app.addHook("onRoute", ({ method, url }) => {
    for (const each of [method].flat()) if (each !== "HEAD") routes.push(withoutNames(`${each} ${url}`));
  });
  for (const add of ROUTES) add(app, context);
  database.close();
  await rm(dataDirectory, { recursive: true, force: true });
  return routes;
}
