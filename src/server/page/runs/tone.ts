import type { StateType } from "../api/types.ts";

/** How a state looks: the colours stand in `style/tokens.css`. */
export type Tone =
  | "scheduled"
  | "late"
  | "pending"
  | "running"
  | "completed"
  | "failed"
  | "crashed"
  | "cancelled"
  | "paused"
  | "cancelling"
  | "none";

const TONES: Readonly<Record<StateType, Tone>> = {
  SCHEDULED: "scheduled",
  PENDING: "pending",
  RUNNING: "running",
  COMPLETED: "completed",
  FAILED: "failed",
  CRASHED: "crashed",
  CANCELLED: "cancelled",
  PAUSED: "paused",
  CANCELLING: "cancelling",
};

export function toneOf(type: StateType | null, name: string | null): Tone {
  if (type === null) return "none";
  return name === "Late" ? "late" : TONES[type];
}

export function isOver(type: StateType | null): boolean {
  return type === "COMPLETED" || type === "FAILED" || type === "CRASHED" || type === "CANCELLED";
}
