import type { RunEnd } from "../worker/run.ts";

/** How a run left the worker's hands, in few words: for metrics and traces. */
export const RESULTS = [
  "completed",
  "failed",
  "crashed",
  "cancelled",
  "handed_back",
  "withdrawn",
  "deleted",
  "left_open",
  "unreported",
] as const;

/** The result of a run that was claimed, or adopted from an earlier worker. */
export function resultOf(end: RunEnd | null): (typeof RESULTS)[number] {
  if (end === null) return "unreported";
  if (end.kind === "returned") return "handed_back";
  if (end.kind === "refused") return "withdrawn";
  if (end.kind === "left") return "left_open";
  switch (end.type) {
    case "COMPLETED":
      return "completed";
    case "FAILED":
      return "failed";
    case "CRASHED":
      return "crashed";
    case "CANCELLED":
      return "cancelled";
    case "SCHEDULED":
      return "handed_back";
    case undefined:
      return "deleted";
    default:
      return "left_open";
  }
}
