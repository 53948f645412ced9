import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { chromium } from "playwright-core";

import type { Browser, BrowserContext, BrowserContextOptions, Page } from "playwright-core";

const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** A tab and what went wrong in it, or went elsewhere. */
export interface Tab {
  readonly page: Page;
  /** Lines of its console from warnings up, and errors nobody caught. */
  readonly problems: string[];
  /** Requests and WebSockets to another host than the one it was opened for. */
  readonly strangers: string[];
}

/** Chromium as Debian ships it. */
export class TestBrowser implements AsyncDisposable {
  readonly #browser: Browser;

  private constructor(browser: Browser) {
    this.#browser = browser;
  }

  static async start(): Promise<TestBrowser> {
    const executablePath = findChromium();
    return new TestBrowser(await chromium.launch({ executablePath, args: FLAGS }));
  }

  /** A context has its own storage, as another user's browser would. */
  context(options: BrowserContextOptions = {}): Promise<BrowserContext> {
    return this.#browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#browser.close();
  }
}

/** Opens a tab on `origin`, watched from its first moment. */
export async function openTab(context: BrowserContext, origin: string): Promise<Tab> {
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  const tab: Tab = { page, problems: [], strangers: [] };
  const { host } = new URL(origin);
  const look = (address: string): void => {
    const url = new URL(address);
    if (url.protocol !== "blob:" && url.protocol !== "data:" && url.host !== host)
      tab.strangers.push(address);
  };
  page.on("request", (request) => look(request.url()));
  page.on("websocket", (socket) => look(socket.url()));
  page.on("pageerror", (error) => tab.problems.push(String(error)));
  page.on("console", (message) => {
    if (["warning", "error"].includes(message.type())) tab.problems.push(message.text());
  });
  return tab;
}

function findChromium(): string {
  const found = (process.env["PATH"] ?? "")
    .split(delimiter)
    .flatMap((directory) => ["chromium", "chromium-browser"].map((name) => join(directory, name)))
    .find((path) => existsSync(path));
  if (found === undefined) throw new Error("There is no chromium on PATH: apt-get install chromium");
  return found;
}
