import { microsOf } from "../store/timestamp.ts";
import { Buckets } from "./bucket.ts";
import { fire } from "./fire.ts";
import { newFiring } from "./firing.ts";
import { bucketingKey, expects, startsAfter } from "./matching.ts";

import type { ServerEvent } from "../events/event.ts";
import type { Bucket } from "./bucket.ts";
import type { Evaluation } from "./evaluation.ts";
import type { EventTrigger } from "./trigger.ts";

/** How far back a first bucket reaches, so that events that come out of order still count. */
const LOOKBACK_MICROS = 15 * 60 * 1e6;

/** What a trigger that is interested in an event makes of it (prefect/server/events/triggers.py: reactive_evaluation). */
export function react(run: Evaluation, trigger: EventTrigger, event: ServerEvent): Bucket | undefined {
  const buckets = new Buckets(run.tx, run.automation.id, trigger);
  const key = bucketingKey(trigger, event);
  const occurred = microsOf(event.occurred);
  const counts = expects(trigger, event.event);
  const end = occurred + trigger.within;
  let bucket: Bucket | undefined;
  if (startsAfter(trigger, event.event)) {
    // An event that opens the period and is also expected: the one that opens does not count itself.
    bucket = buckets.ensure({ key, start: occurred, end, count: counts ? -1 : 0, lastEvent: event });
  } else if (trigger.after.length === 0 && counts) {
    bucket = buckets.ensure({ key, start: occurred - LOOKBACK_MICROS, end, count: 0, lastEvent: event });
  }
  if (!counts) return bucket;
  bucket ??= buckets.read(key);
  return bucket === undefined ? undefined : evaluate(run, trigger, buckets, bucket, occurred, event);
}

/**
 * Looks for what did not happen: fires for the buckets of a Proactive trigger whose period is over with too few events
 * (prefect: proactive_evaluation). Returns when to look again, in microseconds.
 */
export function look(run: Evaluation, trigger: EventTrigger, now: number): number {
  const buckets = new Buckets(run.tx, run.automation.id, trigger);
  let again = now + trigger.within;
  if (trigger.forEach.length === 0)
    buckets.ensure({ key: [], start: now, end: now + trigger.within, count: 0, lastEvent: null });
  buckets.removeFull(trigger.threshold);
  for (const bucket of buckets.all()) {
    const next = evaluate(run, trigger, buckets, bucket, now);
    if (next !== undefined && next.end > now && next.end < again) again = next.end;
  }
  return again;
}

/**
 * Evaluates a bucket at an instant, for an event or without one. There is one bucket for a trigger and key at a time: a Reactive
 * trigger fires as soon as it is full and then waits for the period's end, a Proactive one at the end of a period that has
 * remained too empty. Returns the bucket that is open afterwards (prefect/server/events/triggers.py: evaluate).
 */
function evaluate(
  run: Evaluation,
  trigger: EventTrigger,
  buckets: Buckets,
  given: Bucket,
  now: number,
  event?: ServerEvent,
): Bucket | undefined {
  // A late event, or one more for a trigger that has fired for this period.
  if (now < given.start) return given;
  const isReactive = trigger.posture === "Reactive";
  const isOpen = now < given.end;
  const isSpent = event !== undefined && (isOpen || (isReactive && trigger.within === 0));
  const bucket = isSpent ? buckets.replace({ ...given, count: given.count + 1, lastEvent: event }) : given;
  const isMet = isReactive ? bucket.count >= trigger.threshold : bucket.count < trigger.threshold;
  if (isMet && (isReactive || !isOpen)) {
    const labels = trigger.forEach.map((label, at) => [label, bucket.key[at] ?? ""]);
    fire(
      run,
      newFiring(trigger, run.instant(), {
        triggeringLabels: Object.fromEntries(labels) as Record<string, string>,
        triggeringEvent: event ?? bucket.lastEvent,
      }),
    );
    buckets.remove(bucket.key);
  } else if (isOpen) {
    // What was waited for has come, and it opens the next period at once: a heartbeat, say.
    const isRenewed =
      event !== undefined &&
      !isReactive &&
      !isMet &&
      startsAfter(trigger, event.event) &&
      expects(trigger, event.event);
    if (!isRenewed) return bucket;
    const start = microsOf(event.occurred);
    return buckets.replace({
      key: bucket.key,
      start,
      end: start + trigger.within,
      count: 0,
      lastEvent: event,
    });
  }
  // The period is over. The next one begins with the next event of `after`, or now.
  if (trigger.after.length > 0) {
    buckets.remove(bucket.key);
    return undefined;
  }
  if (trigger.within === 0) return undefined;
  const start = Math.max(bucket.end, now);
  const next = { key: bucket.key, start, end: start + trigger.within, count: 0, lastEvent: null };
  const isUnspent = event !== undefined && !isSpent;
  if (!isUnspent) return buckets.replace(next);
  if (!isReactive) return buckets.replace({ ...next, count: 1 });
  return evaluate(run, trigger, buckets, buckets.replace(next), now, event);
}
