import { S3Client } from "@aws-sdk/client-s3";
import { describe, it } from "vitest";

import { locateBucket } from "./address.ts";
import { createSettings, readInputs } from "./settings.ts";

import type { JsonObject } from "../../json/value.ts";
import type { StepContext } from "../types.ts";
import type { S3Settings } from "./settings.ts";

function settingsOf(clientParameters: JsonObject): S3Settings {
  const profile = {
    name: "default",
    isExplicit: false,
    isNamed: false,
    isKnown: false,
    values: {},
    services: {},
    configFile: "",
    credentialsFile: "",
  };
  return createSettings(readInputs(null, clientParameters), profile, { env: {} } as StepContext);
}

describe("locateBucket", () => {
  it.for([
    ["http://127.0.0.1:9000", "auto", "bucket", "http://127.0.0.1:9000", "/bucket"],
    ["https://minio.example.com", "auto", "bucket", "https://minio.example.com", "/bucket"],
    ["https://minio.example.com/base/", "path", "bucket", "https://minio.example.com", "/base/bucket"],
    ["https://minio.example.com", "virtual", "bucket", "https://bucket.minio.example.com", ""],
    ["https://minio.example.com", "virtual", "dotted.bucket", "https://minio.example.com", "/dotted.bucket"],
    ["http://127.0.0.1:9000", "virtual", "bucket", "http://127.0.0.1:9000", "/bucket"],
    ["http://[::1]:9000", "virtual", "bucket", "http://[::1]:9000", "/bucket"],
  ])(
    "puts %s with style %s and bucket %s at %s%s",
    async ([endpoint, style, bucket, origin, basePath], { expect }) => {
      const settings = settingsOf({
        endpoint_url: endpoint ?? "",
        config: { s3: { addressing_style: style ?? "" } },
      });
      const { url, ...address } = await locateBucket(bucket ?? "", "eu-west-1", settings);
      expect([url.origin, address.basePath]).toEqual([origin, basePath]);
      expect(address.scope).toEqual({ region: "eu-west-1", service: "s3" });
    },
  );

  it("agrees with the SDK's rules wherever AWS itself is asked", async ({ expect }) => {
    const client = new S3Client({ region: "us-east-1" });
    const buckets = [
      "bucket",
      "dotted.bucket",
      "with-dash",
      "a1b2c3",
      "UPPER",
      "under_score",
      "x".repeat(63),
    ];
    const regions = [
      "us-east-1",
      "eu-central-1",
      "ap-southeast-4",
      "us-gov-west-1",
      "cn-north-1",
      "me-central-1",
      "eusc-de-east-1",
    ];
    for (const bucket of buckets) {
      for (const region of regions) {
        for (const style of ["auto", "path"]) {
          const { url } = client.config.endpointProvider({
            Bucket: bucket,
            Region: region,
            UseFIPS: false,
            UseDualStack: false,
            ForcePathStyle: style === "path",
          });
          const ours = await locateBucket(
            bucket,
            region,
            settingsOf({ config: { s3: { addressing_style: style } } }),
          );
          expect(`${ours.url.origin}${ours.basePath || "/"}`).toBe(url.href);
        }
      }
    }
    client.destroy();
  });

  it("knows FIPS, dual stack, acceleration, access points and directory buckets", async ({ expect }) => {
    const where = async (bucket: string, config: JsonObject) => {
      const { url, basePath, scope } = await locateBucket(bucket, "us-east-1", settingsOf({ config }));
      return `${url.origin}${basePath} ${scope.service}`;
    };
    expect(await where("bucket", { use_fips_endpoint: true })).toBe(
      "https://bucket.s3-fips.us-east-1.amazonaws.com s3",
    );
    expect(await where("bucket", { use_dualstack_endpoint: true })).toBe(
      "https://bucket.s3.dualstack.us-east-1.amazonaws.com s3",
    );
    expect(await where("bucket", { s3: { use_accelerate_endpoint: true } })).toBe(
      "https://bucket.s3-accelerate.amazonaws.com s3",
    );
    expect(await where("arn:aws:s3:us-east-1:123456789012:accesspoint:mine", {})).toBe(
      "https://mine-123456789012.s3-accesspoint.us-east-1.amazonaws.com s3",
    );
    expect(await where("mine--use1-az4--x-s3", {})).toBe(
      "https://mine--use1-az4--x-s3.s3express-use1-az4.us-east-1.amazonaws.com s3express",
    );
  });

  it("refuses what cannot be signed for, and names that are no buckets", async ({ expect }) => {
    const multiRegion = "arn:aws:s3::123456789012:accesspoint:mfzwi23gnjvgw.mrap";
    await expect(locateBucket(multiRegion, "us-east-1", settingsOf({}))).rejects.toThrow(/sigv4a/);
    await expect(locateBucket("arn:aws:s3:nonsense", "us-east-1", settingsOf({}))).rejects.toThrow(
      /no S3 address/,
    );
  });
});
