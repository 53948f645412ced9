import { createHash, createHmac } from "node:crypto";

import type { AccessKeys } from "./settings.ts";

/** What is signed; path and query are already encoded as they will be sent. */
interface SignableRequest {
  readonly method: string;
  readonly host: string;
  readonly path: string;
  /** `name=value` pairs, encoded, sorted by name; no question mark. */
  readonly query: string;
  /** Absent for a request without a body. */
  readonly body?: Uint8Array | undefined;
}

export interface SigningScope {
  readonly region: string;
  /** AWS's name of the service: s3, s3express, s3-outposts… */
  readonly service: string;
}

/** Returns the headers to send, host included. */
export type Sign = (request: SignableRequest, keys: AccessKeys, nowMs: number) => Record<string, string>;

const EMPTY_BODY_SHA256 = createHash("sha256").digest("hex");

/**
 * Signs requests by AWS's Signature Version 4. The key that is derived from the secret holds for a day and is kept, which
 * leaves one hash and one HMAC a request: the reason why this is not the SDK's signer, which costs ten times as much.
 */
export function createSigner(
  scope: SigningScope,
  tokenHeader: "x-amz-security-token" | "x-amz-s3session-token" = "x-amz-security-token",
): Sign {
  let cached: { secret: string; day: string; key: Buffer } | undefined;
  let second = -1;
  let timestamp = "";

  function keyOf(secret: string, day: string): Buffer {
    if (cached?.secret !== secret || cached.day !== day) {
      const key = [day, scope.region, scope.service, "aws4_request"].reduce<Buffer>(
        (key, part) => createHmac("sha256", key).update(part).digest(),
        Buffer.from(`AWS4${secret}`),
      );
      cached = { secret, day, key };
    }
    return cached.key;
  }

  return function sign({ method, host, path, query, body }, keys, nowMs) {
    const bodySha256 =
      body === undefined ? EMPTY_BODY_SHA256 : createHash("sha256").update(body).digest("hex");
    const now = Math.floor(nowMs / 1000);
    if (now !== second) {
      second = now;
      timestamp = new Date(now * 1000).toISOString().replaceAll(/[-:]|\.\d+/g, "");
    }
    const day = timestamp.slice(0, 8);
    const credentialScope = `${day}/${scope.region}/${scope.service}/aws4_request`;
    const token = keys.sessionToken;
    const names = `host;x-amz-content-sha256;x-amz-date${token === undefined ? "" : `;${tokenHeader}`}`;
    const canonical =
      `${method}\n${path}\n${query}\nhost:${host}\nx-amz-content-sha256:${bodySha256}\n` +
      `x-amz-date:${timestamp}\n${token === undefined ? "" : `${tokenHeader}:${token}\n`}\n${names}\n${bodySha256}`;
    const digest = createHash("sha256").update(canonical).digest("hex");
    const signature = createHmac("sha256", keyOf(keys.secretAccessKey, day))
      .update(`AWS4-HMAC-SHA256\n${timestamp}\n${credentialScope}\n${digest}`)
      .digest("hex");
    return {
      host,
      "x-amz-content-sha256": bodySha256,
      "x-amz-date": timestamp,
      ...(token === undefined ? {} : { [tokenHeader]: token }),
      authorization: `AWS4-HMAC-SHA256 Credential=${keys.accessKeyId}/${credentialScope}, SignedHeaders=${names}, Signature=${signature}`,
    };
  };
}

/** Percent-encodes one path segment or query value as AWS's signature wants it: all but letters, digits and `-._~`. */
export function encodeAws(text: string): string {
  return encodeURIComponent(text).replaceAll(
    /[!'()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
