import { isIP } from "node:net";

import { coerceError } from "../../errors.ts";
import { StepError } from "../errors.ts";

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
  if (!isOrdinary) return await locateBySdk(bucket, region, settings);
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

/** Access points, other partitions, FIPS, dual stack, acceleration…: the SDK carries AWS's own rules for them. */
async function locateBySdk(bucket: string, region: string, settings: S3Settings): Promise<BucketAddress> {
  const { S3Client } = await import("@aws-sdk/client-s3");
  const client = new S3Client({ region });
  try {
    const rules = client.config.endpointProvider;
    const { url, properties } = rules({
      Bucket: bucket,
      Region: region,
      UseFIPS: settings.useFips,
      UseDualStack: settings.useDualstack,
      Accelerate: settings.useAccelerate,
      ForcePathStyle: settings.addressingStyle === "path" && !settings.useAccelerate,
      UseArnRegion: true,
      DisableMultiRegionAccessPoints: false,
      ...(settings.endpoint === undefined ? {} : { Endpoint: settings.endpoint.href }),
    });
    const schemes: readonly { name: string; signingName?: string; signingRegion?: string }[] =
      properties?.["authSchemes"] ?? [];
    const scheme = schemes.find(({ name }) => name === "sigv4" || name === "sigv4-s3express");
    if (scheme === undefined && schemes.length > 0) {
      throw new StepError(
        `The bucket '${bucket}' wants ${schemes[0]?.name} signatures, which are not supported`,
        {
          hint: "Name the bucket in its own region instead of a multi-region access point.",
        },
      );
    }
    const address = new URL(url.href);
    if (!settings.useTls && settings.endpoint === undefined) address.protocol = "http:";
    return {
      url: new URL(address.origin),
      basePath: address.pathname.replace(/\/+$/, ""),
      scope: { region: scheme?.signingRegion ?? region, service: scheme?.signingName ?? "s3" },
    };
  } catch (thrown) {
    if (thrown instanceof StepError) throw thrown;
    throw new StepError(`There is no S3 address for the bucket '${bucket}': ${coerceError(thrown).message}`, {
      cause: thrown,
      hint: "Check the bucket's name, the region and the endpoint_url.",
    });
  } finally {
    client.destroy();
  }
}
