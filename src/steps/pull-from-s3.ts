import { systemClock } from "../lifecycle/clock.ts";
import { StepError } from "./errors.ts";
import { describe, explain } from "./s3/explain.ts";
import { abortReason, withBucket } from "./s3/session.ts";
import { TargetDirectory } from "./s3/target.ts";
import { transferObjects } from "./s3/transfer.ts";
import { StepInputs } from "./step-inputs.ts";

import type { JsonObject } from "../json/value.ts";
import type { Bucket } from "./s3/bucket.ts";
import type { Progress } from "./s3/transfer.ts";
import type { NativeStep, StepContext, StepOutcome } from "./types.ts";

/** Pulls a folder of a bucket into the current directory (protocol §5.8), many objects at a time. */
export const pullFromS3: NativeStep = {
  names: [
    "prefect_aws.deployments.steps.pull_from_s3",
    "prefect_aws.deployments.steps.pull_project_from_s3",
    "prefect_aws.projects.steps.pull_from_s3",
    "prefect_aws.projects.steps.pull_project_from_s3",
  ],
  run,
};

const PROGRESS_EVERY_MS = 5000;

async function run(inputs: JsonObject, context: StepContext): Promise<StepOutcome> {
  const given = new StepInputs("pull_from_s3", inputs, [
    "bucket",
    "folder",
    "credentials",
    "client_parameters",
  ]);
  const bucketName = given.text("bucket");
  const folder = given.text("folder");
  const prefix = folder === "" || folder.endsWith("/") ? folder : `${folder}/`;
  const target = await TargetDirectory.open(context.cwd);
  await withBucket(bucketName, inputs, context, async (bucket, rest) => {
    await pull({ bucket, prefix, target, ...rest }, context);
  });
  return { outputs: { bucket: bucketName, folder, directory: target.root } };
}

interface Pull {
  readonly bucket: Bucket;
  readonly prefix: string;
  readonly target: TargetDirectory;
  readonly maxConnections: number;
  readonly breakOff: (reason: Error) => Promise<void>;
}

async function pull({ bucket, prefix, ...options }: Pull, context: StepContext): Promise<void> {
  const { log } = context;
  const name = `s3://${bucket.name}/${prefix}`;
  const startedMs = systemClock.monotonic();
  let toldMs = startedMs;
  log.info(`Pulling ${name} from ${bucket.place(prefix).endpoint}`);
  let pulled: Progress;
  try {
    pulled = await transferObjects({
      ...options,
      bucket,
      prefix,
      onProgress(progress) {
        const nowMs = systemClock.monotonic();
        if (nowMs - toldMs < PROGRESS_EVERY_MS) return;
        toldMs = nowMs;
        log.debug(`Pulled ${amount(progress)} of ${name} so far`);
      },
    });
  } catch (thrown) {
    if (context.signal.aborted) throw abortReason(context.signal);
    throw explain(thrown, bucket.place(prefix));
  }
  if (pulled.files === 0) {
    const place = bucket.place(prefix);
    throw new StepError(`There is nothing to pull (${describe(place)})`, {
      hint:
        prefix === ""
          ? "The bucket is empty: push the project to it first."
          : `No object's key starts with '${prefix}': check bucket, folder and endpoint, or push the project first.`,
    });
  }
  const seconds = (systemClock.monotonic() - startedMs) / 1000;
  log.info(`Pulled ${amount(pulled)} from ${name} in ${seconds.toFixed(1)} s`);
}

function amount({ files, bytes }: Progress): string {
  return `${files} ${files === 1 ? "file" : "files"} (${bytes} bytes)`;
}
