import { PrefectServer } from "../support/prefect-server.ts";
import type { TestProject } from "vitest/node";

declare module "vitest" {
  interface ProvidedContext {
    /** API root of the Prefect 3.8.8 server that all files share: each test uses a pool of its own. */
    readonly prefect3Url: string;
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const server = await PrefectServer.start();
  project.provide("prefect3Url", server.url);
  return () => server[Symbol.asyncDispose]();
}
