import { S3Client } from "@aws-sdk/client-s3";

import { coerceError } from "../../errors.ts";
import { StepError } from "../errors.ts";

import type { BucketAddress } from "./address.ts";
import type { S3Settings } from "./settings.ts";

/** Access points, other partitions, FIPS, dual stack, acceleration…: the SDK carries AWS's own rules for them. */
export async function locateBySdk(
  bucket: string,
  region: string,
  settings: S3Settings,
): Promise<BucketAddress> {
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
