import { expect, it } from "vitest";
import { EmbeddedServer } from "../support/embedded-server.ts";
import { PrefectServer } from "../support/prefect-server.ts";
import { Interview } from "./deployments/interview.ts";

/** Where the embedded server says more, or does not fall over. */
const DELIBERATE: Readonly<Record<string, readonly [status: number, text: string]>> = {
  "slugs twice": [409, "Schedule slugs must be unique within a deployment."],
  "unknown flow": [
    409,
    "The flow <id> does not exist: create it first, then its deployments. Data integrity conflict.",
  ],
};

it("answers requests about deployments and their runs as a real server does", async () => {
  await using real = await PrefectServer.start();
  await using own = await EmbeddedServer.start();
  const expected = await new Interview(real.url).all();
  const found = await new Interview(own.url).all();
  const differences = found.flatMap(([label, status, shown], index) => {
    const [, realStatus, realShown] = expected[index] ?? [];
    const wanted = DELIBERATE[label] ?? [realStatus, realShown];
    const isSame = JSON.stringify([status, shown]) === JSON.stringify(wanted);
    return isSame ? [] : [{ label, found: [status, shown], wanted }];
  });
  expect(differences).toEqual([]);
  expect(found.map(([label]) => label)).toEqual(expected.map(([label]) => label));
});
