import { createHash, timingSafeEqual } from "node:crypto";

/** Whether the header carries the auth string as HTTP Basic (protocol §1.7). */
export function isAuthorized(header: string | undefined, authString: string): boolean {
  const [scheme = "", credentials = ""] = (header ?? "").split(" ", 2);
  if (scheme.toLowerCase() !== "basic") return false;
  return isSame(Buffer.from(credentials, "base64").toString("utf8"), authString);
}

/** Compares without telling by its time how much is right. */
export function isSame(given: string, expected: string): boolean {
  const digest = (text: string): Buffer => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(given), digest(expected));
}
