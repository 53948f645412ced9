import * as z from "zod";

// What prefect.yaml may hold, as data: the loader checks files against it, and `jsonSchema` gives editors the same. The rules are those of
// prefect/cli/deploy/_models.py (3.8.8) with the deliberate differences of the README; `describe` texts are what an editor shows.

const text = z.string();
const optionalText = text.nullable().optional();
const template = z
  .string()
  .regex(/\{\{.*\}\}/, { error: "true or false, or a template such as {{ prefect.variables.x }}" });
const switchOrTemplate = z.union([z.boolean(), template]).nullable().optional();
const anything = z.json();
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
  parameters: mapping.optional().describe("Laid over the deployment's parameters."),
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

const schedule = z.strictObject(SCHEDULE_FIELDS).superRefine((value, context) => {
  const kinds = KINDS.filter((kind) => value[kind] !== undefined && value[kind] !== null);
  if (kinds.length === 1) return;
  context.addIssue({
    code: "custom",
    message:
      kinds.length === 0
        ? "one of cron, interval and rrule, but there is none"
        : `one of cron, interval and rrule, but there are ${kinds.join(" and ")}`,
  });
});

const CONCURRENCY_LIMIT_FIELDS = {
  limit: z.int().positive({ error: "a number above 0" }).nullable().optional(),
  collision_strategy: z.enum(["ENQUEUE", "CANCEL_NEW"]).nullable().optional(),
  grace_period_seconds: z
    .int()
    .min(60, { error: "60 to 86400 seconds" })
    .max(86_400, { error: "60 to 86400 seconds" })
    .nullable()
    .optional(),
} as const;

const concurrencyLimit = z.union([
  z.int().positive({ error: "a number above 0" }),
  z.looseObject(CONCURRENCY_LIMIT_FIELDS),
]);

const WORK_POOL_FIELDS = {
  name: optionalText.describe("The work pool that runs of this deployment go to."),
  work_queue_name: optionalText.describe("Its queue; made when missing."),
  job_variables: mapping.optional().describe("Values for the pool's base job template."),
} as const;

const workPool = z.looseObject(WORK_POOL_FIELDS);

export const DEPLOYMENT_FIELDS = {
  name: optionalText,
  version: optionalText,
  version_type: z
    .enum(["prefect:simple", "vcs:github", "vcs:gitlab", "vcs:bitbucket", "vcs:azuredevops", "vcs:git"])
    .nullable()
    .optional(),
  tags: z
    .union([z.array(anything), text])
    .nullable()
    .optional(),
  description: optionalText,
  schedule: z
    .union([z.strictObject({}), schedule])
    .nullable()
    .optional()
    .describe("One schedule; `schedules` takes several."),
  schedules: z.array(schedule).nullable().optional(),
  paused: z.boolean().nullable().optional(),
  concurrency_limit: concurrencyLimit
    .nullable()
    .optional()
    .describe(
      "How many runs may go at once: a number, or limit with collision_strategy and grace_period_seconds.",
    ),
  flow_name: optionalText,
  entrypoint: optionalText.describe(
    "path/to/file.py:flow_function, or a module path: package.module.flow_function",
  ),
  parameters: mapping.optional(),
  enforce_parameter_schema: z.boolean().nullable().optional(),
  build: steps,
  push: steps,
  pull: steps,
  work_pool: workPool.nullable().optional(),
  triggers: z.array(mapping).nullable().optional(),
  sla: z.array(mapping).nullable().optional().describe("Prefect Cloud only."),
} as const;

const FILE_FIELDS = {
  "prefect-version": optionalText,
  name: optionalText,
  build: steps.describe("Steps that build what the flows need; a deployment's own take their place."),
  push: steps.describe("Steps that bring code or images to where workers find them."),
  pull: steps.describe("Steps that a worker runs to get the flow's code; left unresolved until then."),
  deployments: z.array(z.looseObject(DEPLOYMENT_FIELDS)).optional(),
} as const;

export const prefectYaml = z.looseObject(FILE_FIELDS);

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

/** The JSON Schema of prefect.yaml (draft 2020-12), for editors. */
export function jsonSchema(): object {
  return {
    title: "prefect.yaml",
    ...z.toJSONSchema(prefectYaml, { io: "input", unrepresentable: "any", reused: "ref" }),
  };
}
