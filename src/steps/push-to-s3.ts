import { opendir, stat } from "node:fs/promises";
import { join, posix, resolve } from "node:path";

import { systemClock } from "../lifecycle/clock.ts";
import { readIgnoreFile } from "./ignore-file.ts";
import { explain } from "./s3/explain.ts";
import { abortReason, withBucket } from "./s3/session.ts";
import { uploadFiles } from "./s3/upload.ts";
import { StepInputs } from "./step-inputs.ts";

import type { JsonObject } from "../json/value.ts";
import type { IsIgnored } from "./ignore-file.ts";
import type { UploadFile, Uploaded } from "./s3/upload.ts";
import type { NativeStep, StepContext, StepOutcome } from "./types.ts";

/**
 * Pushes the current directory, but for what the ignore file excludes, to a folder of a bucket (prefect_aws/deployments/steps.py), many files
 * at a time. Objects that are there already with the same content are left alone. What is no longer in the directory stays in the
 * bucket, as with Prefect.
 */
export const pushToS3: NativeStep = {
  names: [
    "prefect_aws.deployments.steps.push_to_s3",
    "prefect_aws.deployments.steps.push_project_to_s3",
    "prefect_aws.projects.steps.push_to_s3",
    "prefect_aws.projects.steps.push_project_to_s3",
  ],
  run,
};

const PROGRESS_EVERY_MS = 2000;

async function run(inputs: JsonObject, context: StepContext): Promise<StepOutcome> {
  const given = new StepInputs("push_to_s3", inputs, [
    "bucket",
    "folder",
    "credentials",
    "client_parameters",
    "ignore_file",
  ]);
  const bucketName = given.text("bucket");
  const folder = given.text("folder");
  const ignoreFile = "ignore_file" in inputs ? given.optionalText("ignore_file") : ".prefectignore";
  const isIgnored =
    ignoreFile === null ? () => false : await readIgnoreFile(resolve(context.cwd, ignoreFile));
  const files: UploadFile[] = [];
  await collectFiles(context.cwd, "", isIgnored, files);
  const { log, signal } = context;
  const prefix = folder.replace(/\/+$/, "");
  const startedMs = systemClock.monotonic();
  let toldMs = startedMs;
  let done: Uploaded | undefined;
  await withBucket(bucketName, inputs, context, async (bucket, { maxConnections, breakOff }) => {
    const name = `s3://${bucketName}/${prefix}`;
    log.info(`Pushing ${files.length} files to ${name} at ${bucket.place(prefix).endpoint}`);
    try {
      done = await uploadFiles({
        bucket,
        files: files.map((file) => ({ ...file, key: posix.join(prefix, file.key) })),
        prefix: prefix === "" ? "" : `${prefix}/`,
        maxConnections,
        breakOff,
        onProgress({ uploaded, unchanged }) {
          const nowMs = systemClock.monotonic();
          if (nowMs - toldMs < PROGRESS_EVERY_MS) return;
          toldMs = nowMs;
          log.info(`Pushed ${uploaded + unchanged} of ${files.length} files so far`);
        },
      });
    } catch (thrown) {
      if (signal.aborted) throw abortReason(signal);
      throw explain(thrown, bucket.place(prefix));
    }
    const seconds = ((systemClock.monotonic() - startedMs) / 1000).toFixed(1);
    log.info(
      `Pushed ${done.uploaded} files (${done.bytes} bytes) to ${name} in ${seconds} s; ${done.unchanged} were there already`,
    );
  });
  return { outputs: { bucket: bucketName, folder } };
}

/** Regular files below a directory, links to files among them; links to directories are not followed, as in Prefect. */
async function collectFiles(
  root: string,
  below: string,
  isIgnored: IsIgnored,
  files: UploadFile[],
): Promise<void> {
  for await (const entry of await opendir(join(root, below))) {
    const path = below === "" ? entry.name : `${below}/${entry.name}`;
    if (entry.isDirectory()) {
      if (!isIgnored(path, true)) await collectFiles(root, path, isIgnored, files);
      continue;
    }
    if (isIgnored(path, false)) continue;
    const found = await stat(join(root, path)).catch(() => undefined);
    if (found?.isFile() === true) files.push({ path: join(root, path), key: path, sizeBytes: found.size });
  }
}
