import { createHash, createHmac } from "node:crypto";

import { SignatureV4 } from "@smithy/signature-v4";
import { describe, it } from "vitest";

import { createSigner, encodeAws } from "./signature.ts";

const NOW = Date.UTC(2026, 10, 24, 3, 4, 5);

/** What the SDK's signer needs of a hash. */
class Sha256 {
  readonly #hash;

  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    if (secret === undefined) this.#hash = createHash("sha256");
    else if (typeof secret === "string") this.#hash = createHmac("sha256", secret);
    else if (ArrayBuffer.isView(secret)) {
      this.#hash = createHmac("sha256", Buffer.from(secret.buffer, secret.byteOffset, secret.byteLength));
    } else this.#hash = createHmac("sha256", Buffer.from(secret));
  }

  update(data: string | Uint8Array): void {
    this.#hash.update(data);
  }

  async digest(): Promise<Uint8Array> {
    return this.#hash.digest();
  }

  reset(): void {}
}

describe("createSigner", () => {
  it("makes the signatures of AWS's own signer", async ({ expect }) => {
    const paths = ["/", "/bucket", "/key", "/a/b.txt", "/with space/é/漢字+%~!'()*", "/a//b/./c", "/<&>"];
    const queries: readonly Readonly<Record<string, string>>[] = [
      {},
      { "list-type": "2", prefix: "a b/é+", "encoding-type": "url" },
      { "continuation-token": "1/abc==+", "list-type": "2", prefix: "" },
    ];
    for (const sessionToken of [undefined, "token/with+signs=="]) {
      for (const region of ["us-east-1", "eu-central-1"]) {
        const keys = { accessKeyId: "AKIDEXAMPLE", secretAccessKey: "wJalrXUtnFEMI/K7MDENG", sessionToken };
        const sign = createSigner({ region, service: "s3" });
        const theirs = new SignatureV4({
          credentials: {
            accessKeyId: keys.accessKeyId,
            secretAccessKey: keys.secretAccessKey,
            ...(sessionToken === undefined ? {} : { sessionToken }),
          },
          region,
          service: "s3",
          sha256: Sha256,
          uriEscapePath: false,
        });
        for (const raw of paths) {
          for (const query of queries) {
            const path = raw
              .split("/")
              .map((segment) => encodeAws(segment))
              .join("/");
            const pairs = Object.entries(query).map(
              ([name, value]) => `${encodeAws(name)}=${encodeAws(value)}`,
            );
            const host = "bucket.s3.example.com:9000";
            const ours = sign({ method: "GET", host, path, query: pairs.toSorted().join("&") }, keys, NOW);
            const signed = await theirs.sign(
              {
                method: "GET",
                protocol: "https:",
                hostname: host,
                path,
                query: { ...query },
                headers: { host },
              },
              { signingDate: new Date(NOW) },
            );
            expect(ours).toEqual(signed.headers);
          }
        }
      }
    }
  });

  it("derives the key anew for another day and another secret", ({ expect }) => {
    const sign = createSigner({ region: "us-east-1", service: "s3" });
    const request = { method: "GET", host: "h", path: "/", query: "" };
    const keys = { accessKeyId: "A", secretAccessKey: "one" };
    const DAY_MS = 86_400_000;
    const signatures = [
      sign(request, keys, NOW),
      sign(request, keys, NOW + DAY_MS),
      sign(request, { ...keys, secretAccessKey: "two" }, NOW),
      sign(request, keys, NOW),
    ].map((headers) => headers["authorization"]);
    expect(new Set(signatures).size).toBe(3);
    expect(signatures[3]).toBe(signatures[0]);
  });
});
