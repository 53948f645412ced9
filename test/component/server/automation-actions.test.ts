import { createServer } from "node:http";
import { describe, expect, onTestFinished, test } from "vitest";

import { deploy, poll, run, startApi, storeDirectory } from "./api.ts";
import { automate, outcomes, send, settle } from "./automation-events.ts";

import type { AddressInfo } from "node:net";

import type { Api } from "./api.ts";
import type { SeenEvent } from "./automation-events.ts";

type Fields = Record<string, unknown>;

const TRIGGER = { expect: ["go"] };

/** A resource in the role of what an event is about. */
function related(kind: string, id: string): Record<string, string> {
  return { "prefect.resource.id": `prefect.${kind}.${id}`, "prefect.resource.role": kind };
}

/** Makes an automation with actions, sends the event that sets it off, and gives what became of the actions. */
async function act(
  api: Api,
  actions: readonly Fields[],
  event: { readonly related?: readonly Record<string, string>[]; readonly payload?: unknown } = {},
): Promise<SeenEvent[]> {
  const id = await automate(api, TRIGGER, { actions });
  await send(api, { name: "go", ...event });
  const found = await outcomes(api, id, actions.length);
  await api.call("DELETE", `/automations/${id}`);
  return found;
}

function reasons(events: readonly SeenEvent[]): string[] {
  return events.map(({ event, payload }) =>
    event === "prefect.automation.action.failed" ? payload.reason : payload.status_code,
  );
}

describe("run-deployment", () => {
  test("makes a run of the selected deployment, with parameters from the event", async () => {
    const api = await startApi();
    const deployment = await deploy(api, { parameters: { kept: 1 }, tags: ["d"] });
    await api.post("/variables/", { name: "answer", value: { n: 42 } });
    const parameters = {
      whole: "{{ event.payload.rows }}",
      text: "{{ event.resource.id }}: {{ event.payload['rows'] | length }} rows",
      again: { nested: ["{{ automation.name | upper }}"] },
      variable: { __prefect_kind: "workspace_variable", variable_name: "answer" },
      json: { __prefect_kind: "json", value: '{"a": 1.0}' },
      name: "{{ deployment.name }}/{{ variables.answer.n }}",
      missing: "none: {{ event.payload.nothing.at.all }}",
      address: "{{ deployment | ui_url }}",
      plain: "text",
    };
    const automation = await automate(api, TRIGGER, {
      name: "auto",
      actions: [
        {
          type: "run-deployment",
          source: "selected",
          deployment_id: deployment,
          parameters,
          job_variables: { env: { A: "1" } },
          schedule_after: 3600,
        },
      ],
    });
    await send(api, {
      name: "go",
      payload: { rows: [1, 2.5, null, "x"] },
      related: [related("deployment", deployment)],
    });
    const [done] = await outcomes(api, automation, 1);
    expect(done).toMatchObject({
      event: "prefect.automation.action.executed",
      payload: { action_index: 0, action_type: "run-deployment", status_code: 201 },
    });
    const [made] = await api.post("/flow_runs/filter", {});
    expect(made).toMatchObject({
      deployment_id: deployment,
      parameters: {
        kept: 1,
        whole: [1, 2.5, null, "x"],
        text: "thing: 4 rows",
        again: { nested: ["AUTO"] },
        variable: { n: 42 },
        json: { a: 1 },
        name: "dep/42",
        missing: "none: ",
        address: `http://127.0.0.1:0/deployments/deployment/${deployment}`,
        plain: "text",
      },
      job_variables: { env: { A: "1" } },
      created_by: { id: automation, type: "AUTOMATION", display_value: "auto" },
      state_type: "SCHEDULED",
      tags: ["d"],
    });
    expect(Date.parse(made.next_scheduled_start_time) - Date.now()).toBeGreaterThan(3_500_000);
    expect(done?.related).toEqual([
      { "prefect.resource.id": `prefect.deployment.${deployment}`, "prefect.resource.role": "target" },
      {
        "prefect.resource.id": `prefect.flow-run.${made.id}`,
        "prefect.resource.role": "flow-run",
        "prefect.resource.name": made.name,
      },
      expect.objectContaining({ "prefect.resource.role": "automation-triggered-event" }),
      expect.objectContaining({ "prefect.resource.role": "triggering-event" }),
    ]);
  });

  test("infers the deployment; says what is wrong when it cannot run", async () => {
    const api = await startApi();
    const deployment = await deploy(api);
    const inferred = { type: "run-deployment", source: "inferred" };
    const nobody = "00000000-0000-4000-8000-000000000000";
    const event = { related: [related("deployment", deployment)] };
    expect(reasons(await act(api, [inferred], event))).toEqual([201]);
    expect(reasons(await act(api, [inferred]))).toEqual(["No deployment could be inferred"]);
    expect(
      reasons(
        await act(
          api,
          [
            { type: "run-deployment", source: "selected", deployment_id: nobody },
            { ...inferred, parameters: { a: { __prefect_kind: "workspace_variable", variable_name: "no" } } },
          ],
          event,
        ),
      ),
    ).toEqual([
      "Unexpected status from 'run-deployment' action: 404",
      "Unable to create flow run from deployment: Variable 'no' not found in workspace.",
    ]);
    expect(await poll(api)).toHaveLength(1);
  });

  test("a template that fails tells so in the event", async () => {
    const api = await startApi();
    const deployment = await deploy(api);
    const [failed] = await act(
      api,
      [
        {
          type: "run-deployment",
          deployment_id: deployment,
          parameters: { a: "x{{ event.payload.n / 0 }}" },
        },
      ],
      { payload: { n: 1 } },
    );
    expect(failed?.payload.reason).toMatch(/Unable to create flow run from deployment: .*division by zero/);
  });
});

describe("flow runs", () => {
  test("are cancelled, suspended and resumed, changed and deleted", async () => {
    const api = await startApi();
    const deployment = await deploy(api);
    const id = await run(api, deployment);
    const event = { related: [related("flow-run", id)] };
    await api.propose(id, { type: "PENDING" });
    await api.propose(id, { type: "RUNNING" });
    expect(reasons(await act(api, [{ type: "suspend-flow-run" }], event))).toEqual([201]);
    expect((await api.get(`/flow_runs/${id}`)).state).toMatchObject({
      type: "PAUSED",
      name: "Suspended",
      message: expect.stringMatching(/^Suspended by Automation /),
    });
    const [resumed] = await act(api, [{ type: "resume-flow-run" }], event);
    expect(resumed?.event).toBe("prefect.automation.action.executed");
    expect((await api.get(`/flow_runs/${id}`)).state.name).toBe("Resuming");
    const changed = { type: "change-flow-run-state", state: "FAILED", name: "Odd", message: "because" };
    expect(reasons(await act(api, [{ ...changed, force: true }], event))).toEqual([201]);
    expect((await api.get(`/flow_runs/${id}`)).state).toMatchObject({
      type: "FAILED",
      name: "Odd",
      message: "because",
    });
    expect(reasons(await act(api, [{ type: "cancel-flow-run" }], event))).toEqual([
      "Failed to set state: Run is already in terminal state FAILED.",
    ]);
    expect(reasons(await act(api, [{ type: "delete-flow-run" }], event))).toEqual([204]);
    expect(
      reasons(await act(api, [{ type: "cancel-flow-run" }, { type: "resume-flow-run" }], event)),
    ).toEqual([
      "Unexpected status from 'cancel-flow-run' action: 404",
      "Unexpected status from 'resume-flow-run' action: 404",
    ]);
    expect(reasons(await act(api, [{ type: "cancel-flow-run" }]))).toEqual(["No flow run could be inferred"]);
    const waiting = await run(api, deployment);
    const about = { related: [related("flow-run", waiting)] };
    await api.propose(waiting, { type: "PENDING" });
    await api.propose(waiting, { type: "RUNNING" });
    expect(reasons(await act(api, [{ type: "cancel-flow-run" }], about))).toEqual([201]);
    expect((await api.get(`/flow_runs/${waiting}`)).state_type).toBe("CANCELLING");
  });

  test("the events of their states name flow, deployment, queue, pool, all tags and who made them", async () => {
    const api = await startApi();
    const deployment = await deploy(api, { tags: ["b"] });
    const automation = await automate(
      api,
      {
        expect: ["prefect.flow-run.*"],
        match_related: {
          "prefect.resource.role": "creator",
        },
      },
      { name: "watcher", actions: [] },
    );
    const maker = await automate(api, TRIGGER, {
      name: "maker",
      actions: [{ type: "run-deployment", deployment_id: deployment }],
    });
    await send(api, { name: "go" });
    await outcomes(api, maker, 1);
    await settle(api);
    const { events } = await api.post("/events/filter", {
      filter: {
        resource: { id: [`prefect.automation.${automation}`] },
        event: { name: ["prefect.automation.triggered"] },
      },
    });
    expect(events).toHaveLength(1);
    const state = events[0].payload.triggering_event;
    expect(state.event).toBe("prefect.flow-run.Scheduled");
    expect(state.resource).toMatchObject({
      "prefect.run-count": "0",
      "prefect.state-type": "SCHEDULED",
      "prefect.state-message": "",
    });
    expect(state.related.map((item: Record<string, string>) => item["prefect.resource.role"])).toEqual([
      "flow",
      "deployment",
      "work-queue",
      "work-pool",
      "tag",
      "creator",
    ]);
    expect(state.payload).toEqual({
      intended: { from: null, to: "SCHEDULED" },
      initial_state: null,
      validated_state: { type: "SCHEDULED", name: "Scheduled" },
    });
  });
});

describe("pausing and resuming", () => {
  test("deployments, queues, pools and automations: selected, and inferred from the event", async () => {
    const api = await startApi();
    const deployment = await deploy(api);
    const pool = await api.get("/work_pools/pool");
    const automation = await automate(api, { expect: ["never"] });
    const targets = [
      ["deployment", "deployment_id", deployment, `/deployments/${deployment}`, "paused"],
      ["work-pool", "work_pool_id", pool.id, "/work_pools/pool", "is_paused"],
      ["work-queue", "work_queue_id", pool.default_queue_id, "/work_pools/pool/queues/default", "is_paused"],
      ["automation", "automation_id", automation, `/automations/${automation}`, "enabled"],
    ] as const;
    for (const [kind, field, id, path, flag] of targets) {
      const isPaused = async () => (await api.get(path))[flag] === (flag !== "enabled");
      const status = kind === "deployment" ? 200 : 204;
      expect(reasons(await act(api, [{ type: `pause-${kind}`, source: "selected", [field]: id }]))).toEqual([
        status,
      ]);
      expect(await isPaused()).toBe(true);
      const inferred = { type: `resume-${kind}`, source: "inferred" };
      expect(reasons(await act(api, [inferred], { related: [related(kind, id)] }))).toEqual([status]);
      expect(await isPaused()).toBe(false);
      expect(reasons(await act(api, [inferred]))).toEqual([`No ${kind.replace("-", " ")} could be inferred`]);
    }
    const { events } = await api.post("/events/filter", {
      filter: { event: { prefix: ["prefect.work-pool.", "prefect.work-queue."] }, order: "ASC" },
    });
    expect(events.map(({ event }: { event: string }) => event)).toEqual([
      "prefect.work-pool.not-ready",
      "prefect.work-pool.paused",
      "prefect.work-pool.not-ready",
      "prefect.work-queue.paused",
      "prefect.work-queue.not-ready",
    ]);
  });
});

interface Call {
  readonly method: string | undefined;
  readonly headers: Record<string, unknown>;
  readonly body: string;
}

/** A server that notes what it is sent, and answers as `answer` says. */
async function startReceiver(
  answer: (calls: readonly Call[]) => number | undefined,
): Promise<{ url: string; calls: Call[] }> {
  const calls: Call[] = [];
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk) => (body += String(chunk)));
    request.on("end", () => {
      calls.push({ method: request.method, headers: request.headers, body });
      const status = answer(calls);
      if (status !== undefined) response.writeHead(status, { "x-answer": "yes" }).end("received");
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`, calls };
}

async function webhookBlock(api: Api, data: Fields): Promise<string> {
  const type = await api.post("/block_types/", { name: "Webhook", slug: "webhook" });
  const schema = await api.post("/block_schemas/", {
    block_type_id: type.id,
    fields: { title: "Webhook", type: "object", properties: {}, secret_fields: ["url", "headers.*"] },
  });
  const { id } = await api.post("/block_documents/", {
    name: "hook",
    block_type_id: type.id,
    block_schema_id: schema.id,
    data,
  });
  return id as string;
}

describe("call-webhook", () => {
  test("sends the rendered payload with the block's secret headers", async () => {
    const api = await startApi();
    const receiver = await startReceiver(() => 202);
    const block = await webhookBlock(api, { url: receiver.url, headers: { "x-token": "canary" } });
    const payload = '{"rows": {{ event.payload.rows | tojson }}, "at": "{{ event.occurred }}"}';
    const [done] = await act(api, [{ type: "call-webhook", block_document_id: block, payload }], {
      payload: { rows: ["ü", null] },
    });
    expect(receiver.calls).toHaveLength(1);
    expect(receiver.calls[0]).toMatchObject({ method: "POST", headers: { "x-token": "canary" } });
    expect(receiver.calls[0]?.body).toMatch(
      /^\{"rows": \["\\u00fc", null\], "at": "\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{6})?\+00:00"\}$/,
    );
    expect(done?.payload).toMatchObject({
      status_code: 202,
      response_body: "received",
      response_headers: { "x-answer": "yes" },
    });
    expect(done?.related).toContainEqual(
      expect.objectContaining({ "prefect.resource.id": `prefect.block-document.${block}` }),
    );
  });

  test("is called again after a restart when the server ended before the answer", async () => {
    const directory = await storeDirectory();
    const first = await startApi({}, { directory });
    const receiver = await startReceiver((calls) => (calls.length === 1 ? undefined : 200));
    const block = await webhookBlock(first, { url: receiver.url });
    const id = await automate(first, TRIGGER, {
      actions: [{ type: "call-webhook", block_document_id: block }, { type: "do-nothing" }],
    });
    await send(first, { name: "go" });
    await expect.poll(() => receiver.calls.length).toBe(1);
    // What takes its time does not hold up the rest.
    const [other] = await outcomes(first, id, 1);
    expect(other?.payload.action_type).toBe("do-nothing");
    await first.server.close();
    const second = await startApi({}, { directory });
    expect(reasons(await outcomes(second, id, 2))).toEqual([200, undefined]);
    expect(receiver.calls).toHaveLength(2);
  });

  test("fails with the reason when the block is none, or nobody answers", async () => {
    const api = await startApi();
    const block = await webhookBlock(api, { url: "http://127.0.0.1:9/" });
    const unchecked = await api.post("/block_documents/", {
      name: "other",
      block_type_id: (await api.get("/block_types/slug/webhook")).id,
      block_schema_id: (await api.get(`/block_documents/${block}`)).block_schema_id,
      data: { url: "https://example.test/", verify: false },
    });
    const call = { type: "call-webhook" };
    const found = reasons(
      await act(api, [
        { ...call, block_document_id: block },
        { ...call, block_document_id: unchecked.id },
        { ...call, block_document_id: "00000000-0000-4000-8000-000000000000" },
        { type: "send-notification", block_document_id: block, body: "x" },
      ]),
    );
    expect(found).toEqual([
      expect.stringMatching(/^Webhook call failed: .+/),
      "This server cannot call webhooks with verify switched off",
      "Unexpected status from 'call-webhook' action: 404",
      expect.stringMatching(/cannot be used by this server/),
    ]);
  });
});
