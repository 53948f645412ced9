import * as z from "zod";

// What prefect.yaml may hold, as data: the loader checks files against it, and `jsonSchema` gives editors the same. The rules are those of
// prefect/cli/deploy/_models.py (3.8.8) with the deliberate differences of the README; `describe` texts are what an editor shows.

const text = z.string();
const optionalText = text.nullable().optional();
const template = z
  .string()
  .regex(/\{\{.*\}\}/, { error: "true or false, or a template such as {{ prefect.variables.x }}" });
const switchOrTemplate = z.union([z.boolean(), template]).nullable().optional();
// What the YAML reader gives is JSON already.
const anything = z.unknown();
const mapping = z.record(z.string(), anything);

const step = z
  .record(z.string(), mapping, {
    error: "a step, written as `module.function:` with its inputs one level deeper",
  })
  .refine((value) => Object.keys(value).length === 1, {
    error: (issue) =>
      Object.keys(issue.input as object).length === 0
        ? "a step, but this one is empty"
        : `one step an item, but there are several keys (${Object.keys(issue.input as object).join(", ")}); inputs stand one level deeper, each step begins with "- "`,
  })
  .meta({
    id: "step",
    title: "Step",
    description:
      "`module.function:` with its inputs one level deeper. Its `id` names its outputs for {{ id.field }}; `requires` names Python packages that it needs.",
    minProperties: 1,
    maxProperties: 1,
    examples: [
      {
        "prefect.deployments.steps.run_shell_script": { id: "commit", script: "git rev-parse --short HEAD" },
      },
    ],
  });
const steps = z
  .union([z.array(step), step, z.strictObject({})])
  .nullable()
  .optional();

const SCHEDULE_FIELDS = {
  cron: optionalText.describe(
    "A cron line: minute, hour, day of month, month, day of week; or @daily and the like.",
  ),
  interval: z
    .union([z.number().positive({ error: "a time above 0" }), text])
    .nullable()
    .optional()
    .describe("Seconds, HH:MM:SS, or an ISO 8601 duration such as PT1H."),
  rrule: optionalText.describe("A recurrence rule of iCalendar (RFC 5545), such as FREQ=WEEKLY;BYDAY=MO."),
  timezone: optionalText.describe("IANA name of the time zone, such as Europe/Berlin."),
  anchor_date: optionalText.describe(
    "An instant from which an interval counts; UTC where it names no offset.",
  ),
  active: switchOrTemplate.describe("False keeps the schedule without making runs from it."),
  parameters: mapping
    .optional()
    .describe("Laid over the deployment's parameters, for runs of this schedule."),
  slug: optionalText.describe("A name that identifies the schedule when the deployment is deployed again."),
  replaces: optionalText.describe("Slug of the schedule that this one takes the place of."),
  day_or: switchOrTemplate.describe(
    "When both day fields of the cron line are given: true for either, false for both.",
  ),
  max_scheduled_runs: z
    .int()
    .positive({ error: "a number above 0" })
    .nullable()
    .optional()
    .describe("How many runs are scheduled ahead at most."),
} as const;

const KINDS = ["cron", "interval", "rrule"] as const;

const schedule = z
  .strictObject(SCHEDULE_FIELDS)
  .superRefine((value, context) => {
    const kinds = KINDS.filter((kind) => value[kind] !== undefined && value[kind] !== null);
    if (kinds.length === 1) return;
    context.addIssue({
      code: "custom",
      message:
        kinds.length === 0
          ? "one of cron, interval and rrule, but there is none"
          : `one of cron, interval and rrule, but there are ${kinds.join(" and ")}`,
    });
  })
  .meta({
    id: "schedule",
    title: "Schedule",
    description: "Has one of cron, interval and rrule.",
    oneOf: KINDS.map((kind) => ({
      required: [kind],
      properties: { [kind]: { type: ["string", "number"] } },
    })),
  });

const CONCURRENCY_LIMIT_FIELDS = {
  limit: z
    .int()
    .positive({ error: "a number above 0" })
    .nullable()
    .optional()
    .describe("How many runs of the deployment may go at once."),
  collision_strategy: z
    .enum(["ENQUEUE", "CANCEL_NEW"])
    .nullable()
    .optional()
    .describe("What becomes of a run beyond the limit: it waits, or it is cancelled."),
  grace_period_seconds: z
    .int()
    .min(60, { error: "60 to 86400 seconds" })
    .max(86_400, { error: "60 to 86400 seconds" })
    .nullable()
    .optional()
    .describe("Seconds that a run may take to start before its place goes to another; 60 to 86400."),
} as const;

const limitMapping = z.looseObject(CONCURRENCY_LIMIT_FIELDS);
const concurrencyLimit = z.union([z.int().positive({ error: "a number above 0" }), limitMapping]);

const WORK_POOL_FIELDS = {
  name: optionalText.describe("The work pool that runs of this deployment go to."),
  work_queue_name: optionalText.describe("Its queue; made when missing."),
  job_variables: mapping.optional().describe("Values for the pool's base job template."),
} as const;

const workPool = z.looseObject(WORK_POOL_FIELDS);

export const VERSION_TYPES = [
  "prefect:simple",
  "vcs:github",
  "vcs:gitlab",
  "vcs:bitbucket",
  "vcs:azuredevops",
  "vcs:git",
] as const;

export const DEPLOYMENT_FIELDS = {
  name: optionalText.describe("What `-n` and `flow/name` call it; unique for its flow."),
  version: optionalText.describe("Of the deployment; without it the flow's, or the commit."),
  version_type: z
    .enum(VERSION_TYPES)
    .nullable()
    .optional()
    .describe("Where the version is taken from when none is given."),
  tags: z
    .union([z.array(anything), text])
    .nullable()
    .optional()
    .describe("A list of texts, or a template that gives one."),
  description: optionalText.describe("Markdown; without it the flow's docstring."),
  schedule: z
    .union([z.strictObject({}), schedule])
    .nullable()
    .optional()
    .describe("One schedule; `schedules` takes several."),
  schedules: z
    .array(schedule)
    .nullable()
    .optional()
    .describe(
      "When runs are made. Without the key the schedules on the server stay; [] takes them all away.",
    ),
  paused: z.boolean().nullable().optional().describe("True: its schedules make no runs."),
  concurrency_limit: concurrencyLimit
    .nullable()
    .optional()
    .describe(
      "How many runs may go at once: a number, or limit with collision_strategy and grace_period_seconds.",
    ),
  flow_name: optionalText.describe("Not read: the name is that of the entrypoint's flow."),
  entrypoint: optionalText.describe(
    "path/to/file.py:flow_function, or a module path: package.module.flow_function",
  ),
  parameters: mapping.optional().describe("Default values for the flow's parameters."),
  enforce_parameter_schema: z
    .boolean()
    .nullable()
    .optional()
    .describe(
      "Whether runs may only be made with parameters that fit the flow's signature; true by default.",
    ),
  build: steps.describe("In place of the file's `build`; null for none."),
  push: steps.describe("In place of the file's `push`; null for none."),
  pull: steps.describe("In place of the file's `pull`; [] for none."),
  work_pool: workPool.nullable().optional().describe("Where its runs go, and with which job variables."),
  triggers: z
    .array(mapping)
    .nullable()
    .optional()
    .describe(
      "Automations that run the deployment: event triggers (`expect`, `match`, …), `type: compound`, `sequence` or `metric`.",
    ),
  sla: z.array(mapping).nullable().optional().describe("Prefect Cloud only."),
} as const;

const deployment = z.looseObject(DEPLOYMENT_FIELDS).meta({ id: "deployment", title: "Deployment" });

const FILE_FIELDS = {
  "prefect-version": optionalText.describe("The release that wrote this file; not read."),
  name: optionalText.describe("Of the project; not read."),
  build: steps.describe("Steps that build what the flows need; a deployment's own take their place."),
  push: steps.describe("Steps that bring code or images to where workers find them."),
  pull: steps.describe("Steps that a worker runs to get the flow's code; left unresolved until then."),
  deployments: z.array(deployment).optional().describe("What `deploy` registers."),
} as const;

export const prefectYaml = z.looseObject(FILE_FIELDS);

const CLOSED: ReadonlySet<unknown> = new Set([deployment, workPool, limitMapping]);

/** Keys that may stand at the top of the file without being anything, as places for anchors. */
const FREE_KEYS: ReadonlySet<string> = new Set(["definitions", "description", "required_inputs"]);

/** Keys of an object at a place of the file that are known there; undefined where every key is fine. */
export function knownKeys(path: readonly (string | number)[]): ReadonlySet<string> | undefined {
  if (path.length === 0) return new Set([...Object.keys(FILE_FIELDS), ...FREE_KEYS]);
  if (path[0] !== "deployments" || path.length < 2) return undefined;
  const [, , field] = path;
  if (path.length === 2) return new Set(Object.keys(DEPLOYMENT_FIELDS));
  if (field === "schedules" ? path.length === 4 : field === "schedule")
    return new Set(Object.keys(SCHEDULE_FIELDS));
  if (path.length !== 3) return undefined;
  if (field === "work_pool") return new Set(Object.keys(WORK_POOL_FIELDS));
  return field === "concurrency_limit" ? new Set(Object.keys(CONCURRENCY_LIMIT_FIELDS)) : undefined;
}

/** The JSON Schema of prefect.yaml, for editors (draft 7, the newest that all of them read): `prefect.schema.json`. */
export function jsonSchema(): object {
  const { $schema, ...schema } = z.toJSONSchema(prefectYaml, {
    target: "draft-7",
    io: "input",
    unrepresentable: "any",
    override: ({ zodSchema, jsonSchema: written }) => {
      // Every key is a text.
      Reflect.deleteProperty(written, "propertyNames");
      // The loader only warns of an unknown key there; an editor marks it.
      if (CLOSED.has(zodSchema)) written.additionalProperties = false;
    },
  });
  return {
    $schema,
    $id: "urn:lighterman:prefect.yaml",
    title: "prefect.yaml",
    description:
      "How a project's flows are built, stored and deployed: `lighterman deploy` and `prefect deploy` read it.",
    ...schema,
  };
}
