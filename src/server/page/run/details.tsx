import { deploymentHref, runHref } from "../routes.ts";
import { formatMoment, instantOf } from "../time/duration.ts";

import type { ComponentChildren, JSX } from "preact";

import type { Deployment, FlowRun, JsonObject } from "../api/types.ts";

/** Facts of a run: where it comes from, where it ran, with what. */
export function Details({
  run,
  deployment,
  flowName,
  parentRunId,
  now,
}: {
  readonly run: FlowRun;
  readonly deployment: Deployment | undefined;
  readonly flowName: string | undefined;
  readonly parentRunId: string | undefined;
  readonly now: number;
}): JSX.Element {
  const worker = run.labels["prefect.worker.name"];
  const expected = instantOf(run.expected_start_time);
  return (
    <section class="card" aria-labelledby="details">
      <div class="card-head">
        <h2 id="details">Details</h2>
      </div>
      <dl class="facts">
        <Fact name="Flow">{flowName}</Fact>
        <Fact name="Deployment">
          {deployment !== undefined && <a href={deploymentHref(deployment.id)}>{deployment.name}</a>}
        </Fact>
        <Fact name="Part of">
          {parentRunId !== undefined && <a href={runHref(parentRunId)}>its parent run</a>}
        </Fact>
        <Fact name="Pool">
          {run.work_pool_name !== null && (
            <>
              <a href="/">{run.work_pool_name}</a>
              <span class="muted"> / {run.work_queue_name}</span>
            </>
          )}
        </Fact>
        <Fact name="Worker">{typeof worker === "string" && worker}</Fact>
        <Fact name="Process">{run.infrastructure_pid}</Fact>
        <Fact name="Expected">{expected !== undefined && formatMoment(expected, now)}</Fact>
        <Fact name="Attempts">{run.run_count > 1 && String(run.run_count)}</Fact>
        <Fact name="Made by">{run.auto_scheduled && "its schedule"}</Fact>
        <Fact name="Tags">
          {run.tags.length > 0 &&
            run.tags.map((tag) => (
              <span key={tag} class="tag">
                {tag}
              </span>
            ))}
        </Fact>
        <Fact name="Id">
          <code>{run.id}</code>
        </Fact>
      </dl>
      <JsonDetails title="Parameters" value={run.parameters} isOpen />
      <JsonDetails title="Job variables" value={run.job_variables ?? {}} />
      <JsonDetails title="Labels" value={run.labels} />
    </section>
  );
}

/** One fact; none when there is nothing to say. */
export function Fact({
  name,
  children,
}: {
  readonly name: string;
  readonly children: ComponentChildren;
}): JSX.Element | null {
  if (children === undefined || children === null || children === false || children === "") return null;
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

/** An object as a table of its keys; nothing when it is empty. */
export function JsonDetails({
  title,
  value,
  isOpen = false,
}: {
  readonly title: string;
  readonly value: JsonObject;
  readonly isOpen?: boolean;
}): JSX.Element | null {
  const entries = Object.entries(value);
  if (entries.length === 0) return null;
  return (
    <details open={isOpen}>
      <summary>
        {title} <span class="muted">{entries.length}</span>
      </summary>
      <dl class="json">
        {entries.map(([key, item]) => (
          <div key={key}>
            <dt>{key}</dt>
            <dd>
              <code>{typeof item === "string" ? item : JSON.stringify(item, null, 1)}</code>
            </dd>
          </div>
        ))}
      </dl>
    </details>
  );
}
