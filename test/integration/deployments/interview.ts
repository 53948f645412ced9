import { setTimeout as sleep } from "node:timers/promises";

type Body = Readonly<Record<string, unknown>>;
// oxlint-disable-next-line typescript/no-explicit-any -- JSON of many shapes
type Answer = { readonly status: number; readonly body: any };

/** What a request was answered with: its status, and the text of an error or what the request was about. */
export type Outcome = readonly [label: string, status: number, shown: unknown];

const SCHEMA = {
  title: "Parameters",
  type: "object",
  properties: {
    n: { type: "integer", title: "n", position: 0 },
    s: { type: "string", default: "x" },
    either: { anyOf: [{ type: "integer" }, { type: "string" }] },
    inner: { $ref: "#/definitions/Inner" },
    list: { type: "array", items: { type: "integer" } },
  },
  required: ["n"],
  definitions: { Inner: { type: "object", properties: { a: { type: "integer" } }, required: ["a"] } },
};

const VARIABLES = {
  type: "object",
  properties: {
    command: { type: "string", default: "x" },
    req: { type: "string" },
    num: { type: "integer", default: 1 },
    opt: { type: "string" },
  },
  required: ["req"],
};

const UNKNOWN = "dc6c2597-9119-4e71-b59c-b2a0e7c141b3";

function interval(seconds: number): Body {
  return { interval: seconds, anchor_date: "2026-01-01T00:00:00Z", timezone: "UTC" };
}

/** Asks one server all questions, in order. */
export class Interview {
  readonly outcomes: Outcome[] = [];
  readonly #url: string;

  constructor(url: string) {
    this.#url = url;
  }

  async call(method: string, path: string, body?: unknown): Promise<Answer> {
    for (let attempt = 0; ; attempt += 1) {
      const response = await fetch(this.#url + path, {
        method,
        headers: { "content-type": "application/json" },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const text = await response.text();
      // A real server on SQLite is now and then too busy.
      const isBusy = response.status === 503 || text.includes("database is locked");
      if (!isBusy || attempt > 20)
        return { status: response.status, body: text === "" ? undefined : JSON.parse(text) };
      await sleep(100);
    }
  }

  /** Notes the answer: its error, or what `show` makes of it. */
  async ask(
    label: string,
    call: readonly [method: string, path: string, body?: unknown],
    // oxlint-disable-next-line typescript/no-explicit-any -- as above
    show: (body: any) => unknown = () => undefined,
  ): Promise<Answer> {
    const answer = await this.call(...call);
    const error = answer.body?.detail ?? answer.body?.exception_detail?.[0]?.msg;
    this.outcomes.push([label, answer.status, answer.status < 300 ? show(answer.body) : withoutIds(error)]);
    return answer;
  }

  async all(): Promise<readonly Outcome[]> {
    await this.parameters();
    await this.jobVariables();
    await this.schedules();
    await this.scheduleForms();
    await this.references();
    await this.states();
    return this.outcomes;
  }

  async #flow(): Promise<string> {
    const { body } = await this.call("POST", "/flows/", { name: `flow-${this.outcomes.length}` });
    return body.id as string;
  }

  private async parameters(): Promise<void> {
    const flow_id = await this.#flow();
    const wrong = { flow_id, parameter_openapi_schema: SCHEMA, parameters: { n: "x" } };
    await this.ask("wrong, not enforced by the request", ["POST", "/deployments/", { name: "a", ...wrong }]);
    await this.ask("wrong, enforced by the request", [
      "POST",
      "/deployments/",
      { name: "b", ...wrong, enforce_parameter_schema: true },
    ]);
    await this.ask("no schema", [
      "POST",
      "/deployments/",
      { name: "c", flow_id, parameter_openapi_schema: { type: "objekt" }, enforce_parameter_schema: true },
    ]);
    const { body: deployment } = await this.call("POST", "/deployments/", {
      name: "d",
      flow_id,
      parameter_openapi_schema: SCHEMA,
      parameters: { s: "y" },
    });
    const path = `/deployments/${deployment.id}`;
    await this.call("POST", "/variables/", { name: "count", value: 7 });
    const kind = (prefect: string, fields: Body): Body => ({ __prefect_kind: prefect, ...fields });
    for (const parameters of [
      {},
      { n: "x" },
      { n: 1 },
      { n: true },
      { n: null },
      { n: 1, s: null },
      { n: 1, either: [] },
      { n: 1, either: null },
      { n: 1, inner: {} },
      { n: 1, inner: { a: "x" } },
      { n: 1, list: [1, "x"] },
      { n: 1, list: "no" },
      { n: 1, more: 1 },
      { n: kind("json", { value: "5" }) },
      { n: kind("workspace_variable", { variable_name: "count" }) },
      { n: kind("workspace_variable", { variable_name: "no" }) },
      { n: kind("workspace_variable", {}) },
      { n: 1, s: kind("jinja", { template: "{{ 6 * 7 }}" }) },
      { n: 1, s: kind("jinja", {}) },
      { n: 1, s: kind("none", { value: "q" }) },
      { n: 1, s: kind("none", {}) },
      { n: 1, s: kind("other", { value: "k" }) },
    ]) {
      const call = ["POST", `${path}/create_flow_run`, { parameters }] as const;
      await this.ask(`run with ${JSON.stringify(parameters)}`, call, (run) => sorted(run.parameters));
    }
    await this.ask("not enforced by the run", [
      "POST",
      `${path}/create_flow_run`,
      { enforce_parameter_schema: false },
    ]);
    for (const change of [
      { parameters: { n: "x" } },
      { parameters: {} },
      { parameters: { n: kind("json", { value: "5" }) } },
      { parameter_openapi_schema: { properties: { n: { type: "string" } } } },
      { parameter_openapi_schema: {} },
      { enforce_parameter_schema: false, parameters: { n: [] } },
      { parameter_openapi_schema: null },
      { enforce_parameter_schema: true },
    ]) {
      await this.ask(`change to ${JSON.stringify(change)}`, ["PATCH", path, change]);
      await this.ask("after it", ["GET", path], (found) => [
        found.parameters,
        found.enforce_parameter_schema,
        Object.keys(found.parameter_openapi_schema ?? {}).toSorted(),
      ]);
    }
    for (const [name, schema] of Object.entries({
      circular: { $ref: "#" },
      lost: { type: "object", properties: { a: { $ref: "#/definitions/No" } } },
      remote: { type: "object", properties: { a: { $ref: "http://127.0.0.1:1/x" } } },
    })) {
      const made = await this.call("POST", "/deployments/", {
        name,
        flow_id,
        parameter_openapi_schema: schema,
      });
      await this.ask(name, [
        "POST",
        `/deployments/${made.body.id}/create_flow_run`,
        { parameters: { a: 1 } },
      ]);
    }
    await this.ask(
      "many runs",
      ["POST", `${path}/create_flow_run/bulk`, [{ enforce_parameter_schema: false }]],
      ({ results }) => results.map((result: Body) => [result["status"], result["error"]]),
    );
    await this.ask("no runs", ["POST", `${path}/create_flow_run/bulk`, []], (body) => body);
    await this.ask("too many runs", [
      "POST",
      `${path}/create_flow_run/bulk`,
      Array.from({ length: 101 }, () => ({})),
    ]);
  }

  private async jobVariables(): Promise<void> {
    const flow_id = await this.#flow();
    const job_configuration = { command: "{{ command }}" };
    const pool = (name: string, base_job_template: object) =>
      ["POST", "/work_pools/", { name, type: "test", base_job_template }] as const;
    await this.ask("half a template", pool("p1", { job_configuration }));
    await this.ask(
      "undeclared",
      pool("p2", { job_configuration: { a: "{{ b }}" }, variables: { properties: { a: {} } } }),
    );
    const own = (properties: object) => ({
      job_configuration: { a: 1 },
      variables: { type: "object", properties },
    });
    await this.ask("wrong default", pool("p3", own({ a: { type: "integer", default: "x" } })));
    await this.ask("no schema", pool("p4", own({ a: { type: "objekt" } })));
    await this.ask(
      "unknown block",
      pool("p5", own({ a: { default: { $ref: { block_document_id: UNKNOWN } } } })),
    );
    await this.ask("a good template", pool("good", { job_configuration, variables: VARIABLES }));
    await this.ask("changed to half a template", [
      "PATCH",
      "/work_pools/good",
      { base_job_template: { variables: {} } },
    ]);
    for (const [index, job_variables] of [
      { num: "x" },
      { num: null },
      { opt: null },
      { req: 5 },
      { other: 1 },
      { num: "x", opt: 5 },
    ].entries()) {
      const deployment = { name: `v${index}`, flow_id, work_pool_name: "good", job_variables };
      const label = `deployment with ${JSON.stringify(job_variables)}`;
      await this.ask(label, ["POST", "/deployments/", deployment], (made) => made.job_variables);
    }
    const { body } = await this.call("POST", "/deployments/", { name: "v", flow_id, work_pool_name: "good" });
    for (const change of [
      { work_pool_name: "good", job_variables: { num: "x" } },
      { work_pool_name: "good", job_variables: { req: "r" } },
      { work_pool_name: "good", job_variables: {} },
      { job_variables: { num: "unchecked" } },
      { job_variables: {} },
    ])
      await this.ask(`change to ${JSON.stringify(change)}`, ["PATCH", `/deployments/${body.id}`, change]);
    for (const job_variables of [{}, { req: 1 }, { req: "r", num: null, opt: null }]) {
      const call = ["POST", `/deployments/${body.id}/create_flow_run`, { job_variables }] as const;
      await this.ask(`run with ${JSON.stringify(job_variables)}`, call, (run) => run.job_variables);
    }
  }

  private async schedules(): Promise<void> {
    const flow_id = await this.#flow();
    const make = async (name: string, schedules: readonly Body[]): Promise<string> =>
      (await this.call("POST", "/deployments/", { name, flow_id, schedules })).body.id as string;
    const shown = (deployment: { schedules: Body[] }) =>
      deployment.schedules
        .map(({ slug, schedule, active, parameters, max_scheduled_runs: most }) =>
          JSON.stringify([slug, (schedule as Body)["interval"], active, parameters, most]),
        )
        .toSorted();
    const withSlugs = await make("slugs", [
      { slug: "a", schedule: interval(60) },
      { slug: "b", schedule: interval(120), active: false, parameters: { x: 1 } },
    ]);
    const change = async (id: string, schedules: unknown): Promise<void> => {
      await this.ask(`schedules ${JSON.stringify(schedules)}`, [
        "PATCH",
        `/deployments/${id}`,
        { schedules },
      ]);
      await this.ask("after it", ["GET", `/deployments/${id}`], shown);
    };
    for (const schedules of [
      [{ slug: "b", schedule: interval(130) }],
      [{ slug: "b", active: true, parameters: { y: 2 } }],
      [{ slug: "c", schedule: interval(10) }],
      [{ slug: "d" }],
      [{ schedule: interval(11) }],
      [{ slug: "a", schedule: interval(11) }, { schedule: interval(12) }],
      [],
      [{ slug: "a2", replaces: "a", schedule: interval(61) }],
      [{ slug: "z", replaces: "nope", schedule: interval(62) }],
      [{ slug: "z2", replaces: "nope" }],
      [
        { slug: "q", replaces: "b" },
        { slug: "r", replaces: "b" },
      ],
      [{ slug: "c", replaces: "b" }],
      [
        { slug: "c", replaces: "b" },
        { slug: "b", replaces: "c" },
      ],
      [{ slug: "a2", max_scheduled_runs: 51 }],
      [{ slug: "a2", max_scheduled_runs: 0 }],
      [{ slug: "a2", max_scheduled_runs: 7 }],
      null,
    ])
      await change(withSlugs, schedules);
    await change(await make("none", []), [{ slug: "k", schedule: interval(60) }]);
    await change(await make("plain", [{ schedule: interval(60) }]), [{ slug: "x", schedule: interval(70) }]);
    await change(await make("mixed", [{ schedule: interval(60) }, { slug: "s", schedule: interval(61) }]), [
      { slug: "x", schedule: interval(70) },
      { schedule: interval(80) },
      { slug: "nothing" },
    ]);
    await this.ask("slugs twice", [
      "POST",
      `/deployments/${withSlugs}/schedules`,
      [{ slug: "a2", schedule: interval(1) }],
    ]);
    await this.ask("too many runs", [
      "POST",
      `/deployments/${withSlugs}/schedules`,
      [{ schedule: interval(1), max_scheduled_runs: 51 }],
    ]);
    await this.ask("unknown schedule", ["DELETE", `/deployments/${withSlugs}/schedules/${UNKNOWN}`]);
    await this.ask("posted again", ["POST", "/deployments/", { name: "slugs", flow_id }], shown);
  }

  /** Whether a schedule is taken, and in which form it is kept. */
  private async scheduleForms(): Promise<void> {
    const { body: deployment } = await this.call("POST", "/deployments/", {
      name: "forms",
      flow_id: await this.#flow(),
      paused: true,
    });
    const at = (anchor_date: unknown): Body => ({ interval: 60, anchor_date });
    const from = "2020-01-01";
    for (const schedule of [
      ...[
        {},
        { day_or: "no" },
        { day_or: null },
        { day_or: 3 },
        { foo: 1 },
        { timezone: "" },
        { timezone: 3 },
      ].map((more): Body => ({ cron: "0 9 * * *", ...more })),
      ...["", "x", "H * * * *", "60 * * * *", "@DAILY", "0 0 30 2 *", 5].map((cron): Body => ({ cron })),
      ...[
        3600,
        "PT1H",
        "01:30:00",
        "1 day, 01:00:00",
        "P1M",
        "P1W",
        "P1DT2H3.5S",
        "10 days",
        0.5,
        0,
        -5,
        null,
      ].map((seconds): Body => ({ interval: seconds, anchor_date: from })),
      ...["3600", "1:30", "1h", "PT"].map((text): Body => ({ interval: text, anchor_date: from })),
      ...[
        "2020-01-01T05:00:00",
        "2020-01-01 05:00",
        "2020-01-01T05:00:00+02:00",
        "2020-01-01T05:00:00.123456Z",
      ].map(at),
      ...[1_577_836_800, null, "", "tomorrow", "2020-13-01"].map(at),
      { ...at(from), timezone: "Europe/Berlin" },
      { ...at(from), timezone: "europe/berlin" },
      { ...at(from), cron: "* * * * *" },
      ...["FREQ=DAILY", "FREQ=MINUTELY;COUNT=3", "FREQ=FOO", "FREQ=DAILY;FOO=1", "", 7].map(
        (rrule): Body => ({ rrule }),
      ),
      ...["DTSTART:20200101T000000\nRRULE:FREQ=DAILY;UNTIL=20300101T000000Z", "FREQ=DAILY;BYHOUR=25"].map(
        (rrule): Body => ({ rrule }),
      ),
      { rrule: "FREQ=DAILY", timezone: null },
      { rrule: "FREQ=DAILY", timezone: "Nope" },
      { foo: 1 },
      {},
      "0 9 * * *",
    ]) {
      const { status, body } = await this.call("POST", `/deployments/${deployment.id}/schedules`, [
        { schedule },
      ]);
      // The reasons are in other words, and one instead of one for each kind.
      this.outcomes.push([JSON.stringify(schedule), status, status < 300 ? body[0].schedule : undefined]);
    }
  }

  private async references(): Promise<void> {
    const flow_id = await this.#flow();
    const make = (label: string, fields: Body) =>
      this.ask(label, ["POST", "/deployments/", { name: "r", flow_id, ...fields }], (made) => [
        made.labels["a"],
        made.concurrency_options,
        made.version,
        made.tags,
      ]);
    await make("unknown pool", { work_pool_name: "nowhere" });
    await make("unknown limit", { global_concurrency_limit_id: UNKNOWN });
    await make("unknown flow", { flow_id: UNKNOWN });
    await make("two limits", { concurrency_limit: 1, global_concurrency_limit_id: UNKNOWN });
    await make("limit of 0", { concurrency_limit: 0 });
    await make("no strategy", { concurrency_options: { grace_period_seconds: 60 } });
    await make("unknown strategy", { concurrency_options: { collision_strategy: "NO" } });
    await make("short grace", {
      concurrency_options: { collision_strategy: "ENQUEUE", grace_period_seconds: 59 },
    });
    await make("long grace", {
      concurrency_options: { collision_strategy: "ENQUEUE", grace_period_seconds: 86_401 },
    });
    await make("unknown field", { bogus: 1 });
    await make("half version info", { version_info: { type: "x" } });
    await make("all of it", {
      concurrency_options: { collision_strategy: "CANCEL_NEW" },
      version_info: { type: "x", version: "9" },
      labels: { a: 1.5 },
      tags: ["t", "t"],
    });
    for (const [method, path] of [
      ["GET", ""],
      ["PATCH", ""],
      ["DELETE", ""],
      ["GET", "/schedules"],
      ["POST", "/schedules"],
      ["POST", "/pause_deployment"],
      ["POST", "/create_flow_run"],
      ["POST", "/create_flow_run/bulk"],
    ] as const) {
      const body = path === "/schedules" || path.endsWith("bulk") ? [] : {};
      await this.ask(`${method} ${path} of an unknown one`, [
        method,
        `/deployments/${UNKNOWN}${path}`,
        method === "GET" ? undefined : body,
      ]);
    }
    const { body } = await this.call("POST", "/deployments/", { name: "alone", flow_id });
    await this.ask("a queue without a pool", [
      "POST",
      `/deployments/${body.id}/create_flow_run`,
      { work_queue_name: "zz" },
    ]);
    await this.ask("too many to delete", ["POST", "/deployments/bulk_delete", { limit: 51 }]);
    const filter = { deployments: { name: { any_: ["alone"] } } };
    await this.ask("deleted", ["POST", "/deployments/bulk_delete", filter], ({ deleted }) => deleted.length);
  }

  private async states(): Promise<void> {
    const flow_id = await this.#flow();
    const { body: deployment } = await this.call("POST", "/deployments/", { name: "s", flow_id });
    const run = async (): Promise<string> =>
      (await this.call("POST", `/deployments/${deployment.id}/create_flow_run`, {})).body.id as string;
    const shown = ({ status, details, state }: Body & { details: Body; state: Body | null }) => [
      status,
      details["type"],
      details["reason"],
      state?.["name"],
    ];
    const propose = (id: string, state: Body, force = false) =>
      this.ask(
        `${JSON.stringify(state)} ${force ? "by force" : ""}`,
        ["POST", `/flow_runs/${id}/set_state`, { state, force }],
        shown,
      );
    const [waiting, other, paused] = [await run(), await run(), await run()];
    await propose(waiting, { type: "SCHEDULED", name: "Late" });
    await propose(waiting, { type: "SCHEDULED", name: "Late" });
    await propose(waiting, { type: "PENDING" });
    await propose(waiting, { type: "RUNNING" });
    await propose(waiting, { type: "SCHEDULED", name: "Late" });
    await propose(waiting, { type: "COMPLETED", data: { type: "x" } });
    await propose(waiting, { type: "COMPLETED" });
    await propose(waiting, { type: "COMPLETED" }, true);
    await propose(waiting, { type: "RUNNING" });
    await propose(waiting, { type: "CRASHED" });
    await propose(other, { type: "CANCELLING" }, true);
    for (const type of ["PENDING", "RUNNING"]) await propose(paused, { type });
    const keyset = { description: "d", response: "r", schema: "s" };
    await propose(paused, { type: "PAUSED", state_details: { pause_key: "k", run_input_keyset: keyset } });
    const resume = (run_input: Body) =>
      this.ask(
        `resume with ${JSON.stringify(run_input)}`,
        ["POST", `/flow_runs/${paused}/resume`, { run_input }],
        shown,
      );
    await resume({ n: 1 });
    await this.call("POST", `/flow_runs/${paused}/input`, { key: "s", value: JSON.stringify(SCHEMA) });
    await resume({});
    await resume({ n: "x" });
    await resume({ n: { __prefect_kind: "workspace_variable", variable_name: "no" } });
    await resume({ n: { __prefect_kind: "workspace_variable", variable_name: "count" } });
    await resume({ n: 1 });
    await this.ask("what came in", ["GET", `/flow_runs/${paused}/input/r`], (input) => input);
  }
}

function withoutIds(text: unknown): unknown {
  return typeof text === "string" ? text.replaceAll(/[0-9a-f]{8}-[0-9a-f-]{27}/g, "<id>") : text;
}

function sorted(object: Body): Body {
  return Object.fromEntries(Object.entries(object).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
