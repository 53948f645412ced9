import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { textIn } from "../../src/json/object.ts";
import { parseJson } from "../../src/json/parse.ts";
import { stringifyJson } from "../../src/json/stringify.ts";
import { EventValue, LabelsValue } from "../../src/server/automations/actions/template-values.ts";
import { UiAddresses } from "../../src/server/automations/actions/ui-addresses.ts";
import { look, react } from "../../src/server/automations/evaluate.ts";
import { bucketingKey, expects, isInterested, startsAfter } from "../../src/server/automations/matching.ts";
import { readNewAutomation } from "../../src/server/automations/read.ts";
import { allTriggers, compileTrigger } from "../../src/server/automations/trigger.ts";
import { Channel } from "../../src/server/events/channel.ts";
import { Database } from "../../src/server/store/database.ts";
import { microsOf, parseTimestamp, timestampOfMicros } from "../../src/server/store/timestamp.ts";
import { loadTemplates } from "../../src/server/templates/template.ts";
import { prefectProgram } from "../support/prefect-server.ts";
import { generatedMatches, generatedScenarios } from "./automations/generated.ts";
import { EVENT, LABELS, NAMES, TEMPLATES } from "./automations/templates.ts";
import type { Json, JsonObject } from "../../src/json/value.ts";
import type { EventTrigger, Trigger } from "../../src/server/automations/trigger.ts";
import type { ServerContext } from "../../src/server/context.ts";
import type { ServerEvent } from "../../src/server/events/event.ts";
import type { MatchCase, Scenario } from "./automations/generated.ts";

const matches = generatedMatches(20_260_101, 600);
const scenarios = generatedScenarios(20_260_102, 120, 12);
const templates = TEMPLATES.map((template) => ({ template, names: NAMES, labels: LABELS, event: EVENT }));

interface Answers {
  readonly matches: readonly JsonObject[];
  readonly templates: readonly JsonObject[];
  readonly scenarios: Json;
}

const UI = { host: "127.0.0.1", port: 4200 };

let directory = "";
let answers: Answers;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "automations-"));
  const oracle = fileURLToPath(new URL("automations/oracle.py", import.meta.url));
  const output = await new Promise<string>((resolve, reject) => {
    const child = execFile(
      prefectProgram(3, "python"),
      ["-W", "ignore", oracle],
      {
        env: {
          PATH: process.env["PATH"] ?? "",
          HOME: directory,
          PREFECT_HOME: directory,
          PREFECT_LOGGING_LEVEL: "CRITICAL",
          PREFECT_UI_URL: `http://${UI.host}:${UI.port}`,
        },
        maxBuffer: 64 * 1024 * 1024,
      },
      (error, stdout) => (error === null ? resolve(stdout) : reject(error)),
    );
    child.stdin?.end(stringifyJson({ matches, templates, scenarios } as unknown as Json));
  });
  answers = parseJson(output) as unknown as Answers;
});

afterAll(() => rm(directory, { recursive: true, force: true }));

/** A trigger as the server keeps it. */
function compiled(json: JsonObject): Trigger {
  const automation = readNewAutomation(
    { name: "a", trigger: json, actions: [] },
    { templateProblem: () => undefined },
  );
  return compileTrigger(automation["trigger"] as JsonObject);
}

function eventOf(json: JsonObject): ServerEvent {
  const occurred = parseTimestamp(textIn(json, "occurred") ?? "2026-01-01T00:00:00Z");
  return { payload: {}, follows: null, ...json, occurred, received: occurred } as unknown as ServerEvent;
}

describe("triggers, beside Prefect's own", () => {
  it("look at the same events, count the same ones, and tell them apart alike", () => {
    const ours = ({ trigger: json, event: given }: MatchCase): JsonObject => {
      const trigger = compiled(json) as EventTrigger;
      const event = eventOf(given);
      return {
        interested: isInterested(trigger, event),
        starts_after: startsAfter(trigger, event.event),
        expects: expects(trigger, event.event),
        key: bucketingKey(trigger, event),
      };
    };
    const differences = matches.flatMap((one, at) => {
      const [mine, theirs] = [ours(one), answers.matches[at]];
      return stringifyJson(mine) === stringifyJson(theirs ?? null) ? [] : [{ ...one, mine, theirs }];
    });
    expect(differences).toEqual([]);
    expect(answers.matches.filter(({ interested }) => interested === true).length).toBeGreaterThan(50);
  });

  it("fire at the same steps of the same stories, with the same labels and events", async () => {
    const database = await Database.open(join(directory, "ours.db"));
    try {
      const differences: unknown[] = [];
      for (const [at, scenario] of scenarios.entries()) {
        const mine = await play(database, scenario);
        const theirs = (answers.scenarios as readonly Json[])[at] ?? null;
        if (stringifyJson(mine) !== stringifyJson(theirs))
          differences.push({ at, ...scenario, mine, theirs });
      }
      expect(differences).toEqual([]);
      const fired = (answers.scenarios as readonly (readonly (readonly Json[])[])[]).flat(2);
      expect(fired.length).toBeGreaterThan(100);
    } finally {
      database.close();
    }
  });
});

/** What fires after each step. */
async function play(database: Database, { trigger: json, steps }: Scenario): Promise<Json> {
  const trigger = compiled(json);
  const id = randomUUID();
  const fired: Json[][] = [];
  const events = new Channel<ServerEvent>();
  events.subscribe((items) => {
    for (const { payload } of items) {
      const event = payload["triggering_event"] as JsonObject | null;
      fired
        .at(-1)
        ?.push([payload["triggering_labels"] ?? null, event === null ? null : (event["id"] ?? null)]);
    }
  });
  let micros = Date.parse("2026-01-01T00:00:00Z") * 1000;
  const clock = { now: () => micros / 1000 };
  // Only what an evaluation uses.
  const context = { database, events, clock } as unknown as ServerContext;
  const automation = { id, name: "a", trigger, json: { id, name: "a", trigger: json, actions: [] } };
  const parts = allTriggers(trigger).filter((part) => part.type === "event");
  await database.write((tx) =>
    tx.run(
      "INSERT INTO automation (id, created, updated, name, trigger, actions) VALUES (?,'','','a','{}','[]')",
      id,
    ),
  );
  for (const step of steps) {
    fired.push([]);
    await database.write((tx) => {
      const run = { context, tx, automation, instant: () => timestampOfMicros((micros += 1)) };
      if ("event" in step) {
        const event = eventOf(step.event);
        for (const part of parts) if (isInterested(part, event)) react(run, part, event);
      } else {
        const now = microsOf(step.look);
        for (const part of parts) if (part.posture === "Proactive") look(run, part, now);
      }
    });
  }
  return fired;
}

describe("templates, beside Prefect's own", () => {
  it("give the same texts, and fail alike", async () => {
    const { problem, render } = await loadTemplates();
    const names = {
      ...NAMES,
      event: new EventValue(EVENT, new UiAddresses(UI)),
      labels: new LabelsValue(LABELS),
    };
    const ours = (template: string): string | undefined => {
      if (problem(template) !== undefined) return undefined;
      try {
        return render(template, names);
      } catch {
        return undefined;
      }
    };
    const differences = TEMPLATES.flatMap((template, at) => {
      const [mine, theirs] = [ours(template), answers.templates[at]];
      return mine === theirs?.["text"] ? [] : [{ template, mine, theirs }];
    });
    expect(differences).toEqual([]);
  });
});
