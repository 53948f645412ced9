import pLimit from "p-limit";

import { coerceError } from "../../errors.ts";
import { StepError } from "../errors.ts";
import { BrokenBodyError } from "./exchange.ts";
import { listObjects } from "./listing.ts";
import { relativePathOf } from "./target.ts";

import type { Bucket } from "./bucket.ts";
import type { BodySink, ResponseHeaders } from "./exchange.ts";
import type { ListedObject } from "./listing.ts";
import type { PartialFile, TargetDirectory } from "./target.ts";

export interface TransferOptions {
  readonly bucket: Bucket;
  readonly prefix: string;
  readonly target: TargetDirectory;
  readonly maxConnections: number;
  /** Called after the first failure, to break off what is still going on. */
  readonly breakOff: (reason: Error) => Promise<void>;
  readonly onProgress: (progress: Progress) => void;
}

export interface Progress {
  readonly files: number;
  readonly bytes: number;
}

/** Up to here an object is held in memory and written in one go. */
const SMALL_BYTES = 256 * 1024;
/** Larger objects come in parts of this size, side by side. */
const PART_BYTES = 16 * 1024 * 1024;

/**
 * Pulls every object under the prefix; keys that end in `/` are folders and no files. Rejects with the first failure, after
 * all that was going on has ended and no partial file is left.
 */
export async function transferObjects(options: TransferOptions): Promise<Progress> {
  const { bucket, prefix, target, onProgress } = options;
  const limit = pLimit(options.maxConnections);
  const seen = new Set<string>();
  const repeated: (() => Promise<void>)[] = [];
  const progress = { files: 0, bytes: 0 };
  let failure: Error | undefined;

  function fail(thrown: unknown): void {
    if (failure !== undefined) return;
    failure = coerceError(thrown);
    void options.breakOff(failure);
  }

  async function pull(object: ListedObject, path: string): Promise<void> {
    try {
      if (failure !== undefined) return;
      const bytes =
        object.sizeBytes <= SMALL_BYTES
          ? await limit(() => (failure === undefined ? pullSmall(bucket, object, path, target) : 0))
          : await pullLarge(bucket, object, path, { target, limit });
      progress.files += 1;
      progress.bytes += bytes;
      onProgress(progress);
    } catch (thrown) {
      fail(thrown);
    }
  }

  /** Checks a page's keys before any of them is pulled. */
  function plan(page: readonly ListedObject[]): readonly (() => Promise<void>)[] {
    const pulls: (() => Promise<void>)[] = [];
    for (const object of page) {
      if (object.key.endsWith("/")) continue;
      const path = relativePathOf(object.key, prefix);
      // `a//b` and `a/b` are one file: the one that is listed last stays, as in Prefect.
      (seen.has(path) ? repeated : pulls).push(() => pull(object, path));
      seen.add(path);
    }
    return pulls;
  }

  let previous: Promise<unknown> = Promise.resolve();
  let current = previous;
  try {
    for await (const page of listObjects(bucket, prefix)) {
      const pulls = plan(page);
      await previous; // two pages at work at most, however long the listing is
      previous = current;
      current = Promise.all(pulls.map((start) => start()));
      if (failure !== undefined) break;
    }
  } catch (thrown) {
    fail(thrown);
  }
  await Promise.all([previous, current]);
  for (const again of repeated) await again();
  if (failure !== undefined) throw failure;
  return progress;
}

async function pullSmall(
  bucket: Bucket,
  object: ListedObject,
  path: string,
  target: TargetDirectory,
): Promise<number> {
  // It may have grown since it was listed.
  const { body } = await bucket.get(object.key, { maxBodyBytes: 64 * SMALL_BYTES });
  await target.writeFile(path, body);
  return body.length;
}

async function pullLarge(
  bucket: Bucket,
  object: ListedObject,
  path: string,
  { target, limit }: { target: TargetDirectory; limit: ReturnType<typeof pLimit> },
): Promise<number> {
  const { sizeBytes } = object;
  const file = await limit(() => target.openPartial(path));
  try {
    const starts = Array.from({ length: Math.ceil(sizeBytes / PART_BYTES) }, (_, part) => part * PART_BYTES);
    const parts = starts.map((start) =>
      limit(() => pullPart(bucket, object, { start, end: Math.min(start + PART_BYTES, sizeBytes), file })),
    );
    const settled = await Promise.allSettled(parts);
    const failed = settled.find((part) => part.status === "rejected");
    if (failed !== undefined) throw failed.reason;
    await file.commit();
  } finally {
    await file.discard();
  }
  return sizeBytes;
}

/** Gets the bytes from `start` up to `end`; a repeated attempt writes them all anew. */
async function pullPart(
  bucket: Bucket,
  { key, sizeBytes, etag }: ListedObject,
  { start, end, file }: { start: number; end: number; file: PartialFile },
): Promise<void> {
  const isWhole = end - start === sizeBytes;
  await bucket.get(key, {
    maxBodyBytes: 0,
    headers: {
      ...(isWhole ? {} : { range: `bytes=${start}-${end - 1}` }),
      // Parts of two versions must not be mixed.
      ...(etag === undefined ? {} : { "if-match": etag }),
    },
    sinkFor: (status, headers) => {
      assertExtent(key, { status, headers, isWhole, expected: end - start, sizeBytes });
      return createSink(file, start);
    },
  });
}

function createSink(file: PartialFile, start: number): BodySink {
  let position = start;
  return {
    write(chunk) {
      const at = position;
      position += chunk.length;
      return file.writeAt(chunk, at);
    },
  };
}

interface Extent {
  readonly status: number;
  readonly headers: ResponseHeaders;
  readonly isWhole: boolean;
  readonly expected: number;
  readonly sizeBytes: number;
}

/** What is announced must be what was listed; the exchange itself checks that as many bytes come as are announced. */
function assertExtent(key: string, { status, headers, isWhole, expected, sizeBytes }: Extent): void {
  if (!isWhole && status !== 206) {
    throw new StepError(`The service sent the whole object '${key}' where a part was asked for`, {
      hint: "A proxy or gateway in between drops the Range header; it must let it pass.",
    });
  }
  const length = headers["content-length"];
  if (length === undefined || Number(length) === expected) return;
  throw new BrokenBodyError(
    `The object '${key}' has ${String(length)} bytes, not the ${isWhole ? sizeBytes : expected} listed`,
  );
}
