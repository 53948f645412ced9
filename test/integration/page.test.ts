import { createServer } from "node:http";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { TestBrowser, openTab } from "../support/browser.ts";
import { until } from "../support/deadline.ts";
import { AsyncDisposables } from "../support/disposables.ts";
import { EmbeddedServer } from "../support/embedded-server.ts";
import { PrefectApi, uniqueName } from "../support/prefect-api.ts";
import { startWorker } from "../support/worker-process.ts";
import type { AddressInfo } from "node:net";
import type { BrowserContextOptions, Page } from "playwright-core";
import type { Tab } from "../support/browser.ts";
import type { Deployment } from "../support/prefect-api.ts";

const fixtures = fileURLToPath(new URL("fixtures", import.meta.url));
const AUTH = "admin:pass wörd";

const disposables = new AsyncDisposables();
const pool = uniqueName("page");
let server: EmbeddedServer;
let api: PrefectApi;
let browser: TestBrowser;
/** Where the gates lie: a run goes on when its file is there. */
let gates: string;
let tabs: Tab[] = [];

beforeAll(async () => {
  gates = await mkdtemp(join(tmpdir(), "page-gates-"));
  disposables.defer(() => rm(gates, { recursive: true, force: true }));
  [server, browser] = await Promise.all([EmbeddedServer.start(), TestBrowser.start()]);
  disposables.use(server);
  disposables.use(browser);
  api = new PrefectApi(server.url);
  await api.createPool(pool, { concurrency_limit: 5 });
  disposables.use(
    await startWorker({ apiUrl: server.url, pool, env: { PREFECT_LOGGING_TO_API_BATCH_INTERVAL: "0.2" } }),
  );
});

afterAll(() => disposables.dispose());

afterEach(async () => {
  const opened = tabs;
  tabs = [];
  for (const { page } of opened) await page.context().close();
  const wrong = opened.flatMap(({ strangers, problems }) => [
    ...strangers.map((address) => `asked another host: ${address}`),
    ...problems,
  ]);
  if (wrong.length > 0) throw new Error(wrong.join("\n"));
});

function origin(of: EmbeddedServer = server): string {
  return of.url.replace(/\/api$/, "");
}

/** Opens the page in a browser of its own. */
async function open(path: string, options: BrowserContextOptions = {}, of = server): Promise<Page> {
  const tab = await openTab(await browser.context(options), origin(of));
  tabs.push(tab);
  await tab.page.goto(origin(of) + path);
  return tab.page;
}

/** A deployment whose pull step and whose program each wait for a gate. */
async function deployGated(name: string): Promise<Deployment> {
  const wait = (gate: string): string =>
    `until [ -e ${join(gates, `${name}-${gate}`)} ]; do sleep 0.05; done`;
  return api.createDeployment({
    pool,
    flow: `flow-${name}`,
    name,
    entrypoint: "none",
    pullSteps: [{ "prefect.deployments.steps.run_shell_script": { script: `sh -c '${wait("pull")}'` } }],
    jobVariables: {
      engine: "none",
      command: `sh -c 'echo begins; ${wait("run")}; echo "a warning" >&2; echo ends'`,
    },
  });
}

function openGate(name: string, gate: "pull" | "run"): Promise<void> {
  return writeFile(join(gates, `${name}-${gate}`), "");
}

const phase = (page: Page, name: string) =>
  page.getByRole("region", { name: "Phases" }).getByText(name, { exact: true });
const heading = (page: Page) => page.getByRole("heading", { level: 1 });
const logs = (page: Page) => page.getByRole("log");

describe("the page", () => {
  it("starts a run and follows it live through its phases, with its logs, without being loaded again", async () => {
    await deployGated("live");
    const page = await open("/deployments");
    await page.evaluate("window.isStillThisPage = true");
    await page.getByRole("button", { name: "Run flow-live/live" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Run now" }).click();
    await page
      .getByRole("status")
      .getByRole("link", { name: /was started/ })
      .click();
    await phase(page, "Pulling").waitFor();
    await logs(page).getByText("Running 1 deployment pull step(s)").waitFor();
    await openGate("live", "pull");
    await phase(page, "Running").waitFor();
    await heading(page).getByText("Running").waitFor();
    await logs(page).getByText("begins", { exact: true }).waitFor();
    await openGate("live", "run");
    await heading(page).getByText("Completed").waitFor();
    await logs(page).getByText("ends", { exact: true }).waitFor();
    const states = page.getByRole("list", { name: "States" }).getByRole("listitem");
    await until("all states are shown", async () => (await states.count()) === 5);
    expect(await phase(page, "Pulling").count()).toBe(1);

    await page.getByLabel("Lowest level").selectOption("30");
    await logs(page).getByText("a warning").waitFor();
    expect(await logs(page).getByText("begins", { exact: true }).count()).toBe(0);
    const downloading = page.waitForEvent("download");
    await page.getByRole("button", { name: "Download the logs" }).click();
    expect((await downloading).suggestedFilename()).toMatch(/\.log$/);
    expect(await page.evaluate("window.isStillThisPage")).toBe(true);
  });

  it("shows the list of runs live in every tab, and cancels, retries and deletes a run", async () => {
    const deployment = await deployGated("cancelled");
    const [list, other] = [await open("/runs"), await open("/runs?state=cancelled")];
    await list.getByText("Live", { exact: true }).waitFor();
    await other.getByText("Live", { exact: true }).waitFor();
    const run = await api.run(deployment);
    const row = list.getByRole("link", { name: run.name });
    await row.waitFor();
    await openGate("cancelled", "pull");
    await list.getByRole("link", { name: new RegExp(`${run.name}.*Running`) }).waitFor();
    await row.click();
    await list.getByRole("button", { name: "Cancel", exact: true }).click();
    await list.getByRole("dialog").getByRole("button", { name: "Cancel the run" }).click();
    await heading(list).getByText("Cancelled").waitFor();
    await other.getByRole("link", { name: run.name }).waitFor();
    await api.waitFor(run, ["CANCELLED"]);

    await openGate("cancelled", "run");
    await list.getByRole("button", { name: "Retry" }).click();
    await heading(list).getByText("Completed").waitFor();
    await list.getByRole("button", { name: "Delete the run" }).click();
    await list.getByRole("dialog").getByRole("button", { name: "Delete the run" }).click();
    await list.waitForURL("**/runs");
    await expect(api.call("GET", `/flow_runs/${run.id}`)).rejects.toThrow("404");
  });

  it("shows pools, queues and workers, and pauses and resumes them", async () => {
    await api.createQueue(pool, "urgent", { priority: 1, concurrency_limit: 2 });
    const [page, other] = [await open("/"), await open("/")];
    const card = page.getByRole("region", { name: pool });
    await card.getByText("Ready").waitFor();
    await card.getByText("of 5 slots").waitFor();
    await card
      .getByRole("table", { name: `Workers of ${pool}` })
      .getByText("Online")
      .waitFor();
    const queues = card.getByRole("table", { name: `Queues of ${pool}` });
    await queues.getByRole("row", { name: /urgent 1 0 \/ 2/ }).waitFor();
    await card.getByRole("button", { name: `Pause queue urgent of ${pool}` }).click();
    await queues.getByRole("row", { name: /urgent Paused/ }).waitFor();
    await card.getByRole("button", { name: `Pause pool ${pool}` }).click();
    await other.getByRole("button", { name: `Resume pool ${pool}` }).click();
    await card.getByRole("button", { name: `Pause pool ${pool}` }).waitFor();
    expect(await api.pool(pool)).toMatchObject({ is_paused: false });
  });

  it("asks for parameters by their schema, and says what is wrong with them", async () => {
    const deployment = await api.createDeployment({
      pool,
      flow: "asks",
      name: "asks",
      entrypoint: "none",
      jobVariables: { engine: "none", command: "true" },
    });
    await api.call("PATCH", `/deployments/${deployment.id}`, {
      parameter_openapi_schema: {
        type: "object",
        properties: {
          name: { type: "string", position: 0 },
          count: { type: "integer", default: 2, position: 1 },
          rows: { type: "array", position: 2 },
        },
        required: ["name", "rows"],
      },
    });
    const page = await open(`/deployments/${deployment.id}`);
    await page.getByRole("button", { name: "Run", exact: true }).click();
    const dialog = page.getByRole("dialog", { name: "Run asks/asks" });
    await dialog.getByLabel(/^name/).fill("Ada");
    await dialog.getByLabel(/^count/).fill("many");
    await dialog.getByLabel(/^rows/).fill("[1, {}]");
    await dialog.getByRole("button", { name: "Run now" }).click();
    await dialog.getByText("This is not a whole number.").waitFor();
    await dialog.getByLabel(/^count/).fill("7");
    await dialog.getByRole("button", { name: "Run now" }).click();
    await page
      .getByRole("status")
      .getByRole("link", { name: /was started/ })
      .click();
    await heading(page).getByText("Completed").waitFor();
    const id = new URL(page.url()).pathname.split("/").at(-1);
    expect(await api.call("GET", `/flow_runs/${id}`)).toMatchObject({
      parameters: { name: "Ada", count: 7, rows: [1, {}] },
    });
  });

  it("shows the tasks, subflows and artifacts of a real engine's run", async () => {
    await api.call("POST", "/v2/concurrency_limits/", { name: "embedded-slots", limit: 1 });
    await api.createVariable("embedded_answer", "42");
    const deployment = await api.createDeployment({
      pool,
      pullSteps: [{ "prefect.deployments.steps.set_working_directory": { directory: fixtures } }],
      entrypoint: "embedded_flows.py:everything",
    });
    const page = await open(`/runs/flow-run/${(await api.run(deployment)).id}`);
    await heading(page).getByText("Completed").waitFor({ timeout: 60_000 });
    await heading(page).getByText("everything-3").waitFor();
    const tasks = page.getByRole("list", { name: "Tasks" });
    await tasks.getByRole("button", { name: /double.*2 tries.*Completed/ }).waitFor();
    await page.getByText("3 of 3 completed").waitFor();
    await page.getByRole("region", { name: "Subflows" }).getByText("Completed").nth(1).waitFor();
    await page.getByRole("region", { name: "Artifacts" }).getByRole("heading", { name: "done" }).waitFor();
    await logs(page).getByText("result 12 variable 42").waitFor();
    expect(await page.getByRole("button", { name: "Cancel", exact: true }).count()).toBe(0);
  });

  it("can be used with the keyboard alone", async () => {
    const deployment = await deployGated("keys");
    const page = await open("/", { reducedMotion: "reduce" });
    await page.getByRole("region", { name: pool }).waitFor();
    await page.keyboard.press("Tab");
    expect(await page.evaluate("document.activeElement.textContent")).toBe("To the content");
    await page.keyboard.press("?");
    await page.getByRole("dialog", { name: "Keyboard" }).waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });

    await page.keyboard.type("gd");
    await page.getByRole("link", { name: "flow-keys / keys" }).waitFor();
    await page.keyboard.press("/");
    await page.keyboard.type("flow-keys");
    await until("the list is narrowed", async () => (await page.locator("[data-row]").count()) === 1);
    await page.keyboard.press("Escape");
    await page.keyboard.press("j");
    await page.keyboard.press("r");
    await page.getByRole("dialog", { name: "Run flow-keys/keys" }).waitFor();
    await page.keyboard.press("Enter");
    await page
      .getByRole("status")
      .getByRole("link", { name: /was started/ })
      .waitFor();

    await page.keyboard.type("gr");
    await page.getByRole("heading", { level: 1, name: "Runs" }).waitFor();
    await page.getByRole("link", { name: /flow-keys/ }).waitFor();
    await page.keyboard.press("j");
    const focused = await page.evaluate<string>("document.activeElement.dataset.row");
    await page.keyboard.press("Enter");
    await page.waitForURL(`**/runs/${focused}`);
    await phase(page, "Pulling").waitFor();
    await page.keyboard.press("c");
    await page.getByRole("dialog", { name: /^Cancel/ }).waitFor();
    await page.keyboard.press("Enter");
    await heading(page).getByText("Cancelled").waitFor();
    await api.waitFor({ id: focused }, ["CANCELLED"]);
    expect(deployment.name).toBe("keys");
  });

  it("is light or dark as the system is or as one likes, and fits every width", async () => {
    const background = (page: Page): Promise<string> =>
      page.evaluate("getComputedStyle(document.body).backgroundColor");
    const [light, dark] = [
      await open("/", { colorScheme: "light", viewport: { width: 360, height: 740 } }),
      await open("/", { colorScheme: "dark", viewport: { width: 1600, height: 900 } }),
    ];
    const colours = [await background(light), await background(dark)];
    expect(new Set(colours).size).toBe(2);
    await light.keyboard.type("tt");
    await expect.poll(() => background(light)).toBe(colours[1]);
    await light.reload();
    expect(await background(light)).toBe(colours[1]);

    const [run] = await api.call<readonly { id: string }[]>("POST", "/flow_runs/filter", { limit: 1 });
    const [deployment] = await api.call<readonly { id: string }[]>("POST", "/deployments/filter", {
      limit: 1,
    });
    const views = [
      "/runs",
      `/runs/${run?.id}`,
      "/deployments",
      `/deployments/${deployment?.id}`,
      "/variables",
      "/blocks",
      "/",
    ];
    for (const page of [light, dark]) {
      for (const view of views) {
        await page.goto(origin() + view);
        await page.getByText("Live", { exact: true }).waitFor({ state: "attached" });
        await heading(page).first().waitFor();
        expect([view, await page.evaluate("document.documentElement.scrollWidth - innerWidth")]).toEqual([
          view,
          expect.toSatisfy((overhang: number) => overhang <= 0),
        ]);
      }
    }
  });

  it("scrolls through thousands of runs with a few rows in the document", async () => {
    const idle = uniqueName("idle");
    await api.createPool(idle);
    const deployment = await api.createDeployment({
      pool: idle,
      flow: "many",
      name: "many",
      entrypoint: "none",
    });
    const total = 2000;
    // Over connections that are kept, which takes a third of the time.
    await Promise.all(
      Array.from({ length: 20 }, async () => {
        for (let count = 0; count < total / 20; count += 1) {
          const answer = await fetch(`${server.url}/deployments/${deployment.id}/create_flow_run`, {
            method: "POST",
            body: "{}",
          });
          await answer.arrayBuffer();
        }
      }),
    );
    const page = await open(`/runs?range=24h&deployment=${deployment.id}`);
    const rows = page.getByRole("list", { name: /^Runs/ }).getByRole("listitem");
    await rows.first().waitFor();
    await page.getByText("200+ in the last 24h").waitFor();
    await until("the end is reached", async () => {
      await page.evaluate("window.scrollTo(0, document.documentElement.scrollHeight)");
      return page.getByText(`${total} in the last 24h`).isVisible();
    });
    expect(await rows.count()).toBeLessThan(100);
    await page.evaluate("window.scrollTo(0, 0)");
    await page.keyboard.press("j");
    for (let index = 0; index < 60; index += 1) await page.keyboard.press("j");
    const top = await page.evaluate<number>("window.scrollY");
    expect(top).toBeGreaterThan(500);
  });

  it("says that the server is away, and is up to date again by itself when it is back", async () => {
    const deployment = await api.createDeployment({ pool, flow: "back", name: "back", entrypoint: "none" });
    const page = await open("/runs");
    await page.getByText("Live", { exact: true }).waitFor();
    await server.stop();
    await page.getByRole("alert").getByText("The server is away").waitFor();
    await server.resume();
    await page.getByText("Live", { exact: true }).waitFor();
    await page.getByText("The server is away").waitFor({ state: "detached" });
    const run = await api.run(deployment);
    await page.getByRole("link", { name: run.name }).waitFor();
    // The browser itself says in the console that it could not connect.
    const [tab] = tabs;
    expect(
      tab?.problems.filter(
        (problem) =>
          !/ERR_CONNECTION_(?:REFUSED|RESET)|ERR_EMPTY_RESPONSE|status of 503|WebSocket/.test(problem),
      ),
    ).toEqual([]);
    tab?.problems.splice(0);
  });

  it("does not let a page of another site start anything or listen", async () => {
    const deployment = await api.createDeployment({ pool, flow: "safe", name: "safe", entrypoint: "none" });
    const stranger = createServer((_, response) =>
      response.setHeader("content-type", "text/html").end("<!doctype html><link rel=icon href=data:,>"),
    );
    await new Promise<void>((resolve) => stranger.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void stranger.close());
    const page = await (await browser.context()).newPage();
    // Another name is another site, also when it is the same machine.
    await page.goto(`http://localhost:${(stranger.address() as AddressInfo).port}/`);
    const outcome = await page.evaluate(
      `Promise.all([
        fetch("${server.url}/deployments/${deployment.id}/create_flow_run", { method: "POST", mode: "no-cors", body: "{}" })
          .then(({ type }) => type),
        new Promise((resolve) => {
          const socket = new WebSocket("${server.url.replace("http", "ws")}/events/out", ["prefect"]);
          socket.onopen = () => resolve("open");
          socket.onerror = () => resolve("refused");
        }),
      ])`,
    );
    await page.context().close();
    expect(outcome).toEqual(["opaque", "refused"]);
    const runs = await api.call<number>("POST", "/flow_runs/count", {
      deployments: { id: { any_: [deployment.id] } },
    });
    expect(runs).toBe(0);
  });

  it("asks for the login of a server that has one", async () => {
    const guarded = await EmbeddedServer.start({ env: { PREFECT_SERVER_API_AUTH_STRING: AUTH } });
    onTestFinished(() => guarded[Symbol.asyncDispose]());
    const own = new PrefectApi(guarded.url, { authString: AUTH });
    await own.createPool("guarded");
    const page = await open("/", {}, guarded);
    await page.getByLabel("User").fill("admin");
    await page.getByLabel("Password").fill("wrong");
    await page.keyboard.press("Enter");
    await page.getByText("User or password is wrong.").waitFor();
    await page.getByLabel("Password").fill(AUTH.slice("admin:".length));
    await page.keyboard.press("Enter");
    await page.getByRole("region", { name: "guarded" }).waitFor();
    await page.getByText("Live", { exact: true }).waitFor();
    await page.reload();
    await page.getByRole("region", { name: "guarded" }).waitFor();
    await page.getByRole("button", { name: "Log out" }).click();
    await page.getByRole("heading", { name: "Log in" }).waitFor();
    const [tab] = tabs;
    expect(tab?.problems.filter((problem) => !/401|WebSocket/.test(problem))).toEqual([]);
    tab?.problems.splice(0);
  });
});
