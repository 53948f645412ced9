import { isIP } from "node:net";

import type { S3Settings } from "./settings.ts";
import type { SigningScope } from "./signature.ts";

/** Where a bucket is, and what its requests are signed for. */
export interface BucketAddress {
  readonly url: URL;
  /** Put before every key: empty, or the bucket's part of a path-style address. Encoded, without slash at its end. */
  readonly basePath: string;
  readonly scope: SigningScope;
}

export const DEFAULT_REGION = "us-east-1";

// Regions whose endpoints are plain `s3.<region>.amazonaws.com`; all others are asked of the SDK's rules.
const ORDINARY_REGION = /^(?:af|ap|ca|eu|il|me|mx|sa|us|us-gov)-(?:[a-z]{4,10})-\d$/;
const VIRTUAL_HOST = /^(?=.{3,63}$)[a-z0-9]+(?:-+[a-z0-9]+)*$/;

/**
 * Chooses the address as botocore does (args.py: compute_endpoint_resolver_builtin_defaults): the bucket stands in the path
 * with an endpoint of one's own, unless `addressing_style: virtual` is set, and in the host name with AWS, if it can.
 */
export async function locateBucket(
  bucket: string,
  region: string,
  settings: S3Settings,
): Promise<BucketAddress> {
  const { endpoint, addressingStyle } = settings;
  const scope = { region, service: "s3" };
  const isPlain = !/[:/]/.test(bucket) && !bucket.endsWith("--x-s3");
  const canBeHost = VIRTUAL_HOST.test(bucket);
  if (endpoint !== undefined && isPlain) {
    const isVirtual =
      addressingStyle === "virtual" && canBeHost && isIP(endpoint.hostname.replace(/[[\]]/g, "")) === 0;
    return addressOf(endpoint, isVirtual ? bucket : undefined, isVirtual ? undefined : bucket, scope);
  }
  const isOrdinary =
    endpoint === undefined &&
    isPlain &&
    ORDINARY_REGION.test(region) &&
    !settings.useAccelerate &&
    !settings.useDualstack &&
    !settings.useFips &&
    !/(?:^xn--|^sthree-|-s3alias$|--ol-s3$|--table-s3$)/.test(bucket);
  if (!isOrdinary) {
    const { locateBySdk } = await import("./aws-address.ts");
    return await locateBySdk(bucket, region, settings);
  }
  const aws = new URL(`${settings.useTls ? "https" : "http"}://s3.${region}.amazonaws.com`);
  const isVirtual = addressingStyle !== "path" && canBeHost;
  return addressOf(aws, isVirtual ? bucket : undefined, isVirtual ? undefined : bucket, scope);
}

function addressOf(
  endpoint: URL,
  hostBucket: string | undefined,
  pathBucket: string | undefined,
  scope: SigningScope,
): BucketAddress {
  const host = hostBucket === undefined ? endpoint.host : `${hostBucket}.${endpoint.host}`;
  const path = endpoint.pathname.replace(/\/+$/, "");
  return {
    url: new URL(`${endpoint.protocol}//${host}`),
    basePath: pathBucket === undefined ? path : `${path}/${encodeURIComponent(pathBucket)}`,
    scope,
  };
}
