import { InvalidValueError } from "../http/errors.ts";

const FORM =
  /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d(?::\d\d)?)(?:[.,](\d{1,9}))?\s*(Z|[+-]\d\d:?\d\d(?::?\d\d)?)?$/i;

/** The instant in the one form in which times are stored: UTC with microseconds, `2026-01-02T03:04:05.678900Z`. */
export function timestampOf(epochMs: number): string {
  return `${new Date(epochMs).toISOString().slice(0, -1)}000Z`;
}

/** Any ISO form that a client sends (without a zone: UTC) in the stored form; keeps microseconds. Throws an InvalidValueError. */
export function parseTimestamp(text: string): string {
  if (text.length === 27 && text.endsWith("Z") && FORM.test(text) && text[10] === "T") return text;
  const match = FORM.exec(text.trim());
  const [, day = "", time = "", fraction = "", zone = "Z"] = match ?? [];
  const epochMs = Date.parse(`${day}T${time}${zoneText(zone)}`);
  if (match === null || Number.isNaN(epochMs))
    throw new InvalidValueError("Input should be a valid datetime", text);
  return `${new Date(epochMs).toISOString().slice(0, 19)}.${fraction.slice(0, 6).padEnd(6, "0")}Z`;
}

/** Milliseconds since the epoch, with the microseconds as a fraction. */
export function epochMsOf(timestamp: string): number {
  return Date.parse(`${timestamp.slice(0, 19)}Z`) + Number(timestamp.slice(20, 26)) / 1000;
}

/** Microseconds since the epoch. */
export function microsOf(timestamp: string): number {
  return Date.parse(`${timestamp.slice(0, 19)}Z`) * 1000 + Number(timestamp.slice(20, 26));
}

/** The stored form of microseconds since the epoch. */
export function timestampOfMicros(micros: number): string {
  const seconds = Math.floor(micros / 1e6);
  const fraction = String(micros - seconds * 1e6).padStart(6, "0");
  return `${new Date(seconds * 1000).toISOString().slice(0, 19)}.${fraction}Z`;
}

/** The stored form, `seconds` later. */
export function addSeconds(timestamp: string, seconds: number): string {
  return timestampOf(epochMsOf(timestamp) + seconds * 1000);
}

function zoneText(zone: string): string {
  if (zone.toUpperCase() === "Z") return "Z";
  return /^[+-]\d{4}$/.test(zone) ? `${zone.slice(0, 3)}:${zone.slice(3)}` : zone.slice(0, 6);
}
