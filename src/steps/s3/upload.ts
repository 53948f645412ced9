import { createHash } from "node:crypto";
import { open, readFile } from "node:fs/promises";

import pLimit from "p-limit";

import { coerceError } from "../../errors.ts";
import { OddAnswer, S3Failure } from "./failure.ts";
import { listObjects } from "./listing.ts";
import { childText, parseXml } from "./xml.ts";

import type { Bucket } from "./bucket.ts";
import type { ListedObject } from "./listing.ts";

export interface UploadFile {
  /** Absolute. */
  readonly path: string;
  readonly key: string;
  readonly sizeBytes: number;
}

export interface UploadOptions {
  readonly bucket: Bucket;
  readonly files: readonly UploadFile[];
  /** Of all keys; what lies under it is looked at for files that are there already. */
  readonly prefix: string;
  readonly maxConnections: number;
  /** Called after the first failure, to break off what is still going on. */
  readonly breakOff: (reason: Error) => Promise<void>;
  readonly onProgress: (progress: Uploaded) => void;
}

export interface Uploaded {
  /** Files that were sent. */
  readonly uploaded: number;
  /** Files whose objects are the same already. */
  readonly unchanged: number;
  /** That were sent. */
  readonly bytes: number;
}

/** A larger file goes in parts of this size: S3 takes 5 GiB at a time at most, and a broken part alone is sent again. */
const PART_BYTES = 16 * 1024 * 1024;
/** S3's own bound of parts. */
const MAX_PARTS = 10_000;

/** Sends every file whose object is missing or differs. Rejects with the first failure, once all that was going on has ended. */
export async function uploadFiles(options: UploadOptions): Promise<Uploaded> {
  const { bucket, files, maxConnections, onProgress } = options;
  const existing = await readExisting(bucket, options.prefix);
  const limit = pLimit(maxConnections);
  const progress = { uploaded: 0, unchanged: 0, bytes: 0 };
  let failure: Error | undefined;
  await Promise.all(
    files.map((file) =>
      limit(async () => {
        if (failure !== undefined) return;
        try {
          const isSent = await sendFile(bucket, file, existing.get(file.key));
          progress.uploaded += Number(isSent);
          progress.unchanged += Number(!isSent);
          progress.bytes += isSent ? file.sizeBytes : 0;
          onProgress(progress);
        } catch (thrown) {
          if (failure !== undefined) return;
          failure = coerceError(thrown);
          await options.breakOff(failure);
        }
      }),
    ),
  );
  if (failure !== undefined) throw failure;
  return progress;
}

/** What lies under the prefix. Empty where the keys may write but not list. */
async function readExisting(bucket: Bucket, prefix: string): Promise<ReadonlyMap<string, ListedObject>> {
  const existing = new Map<string, ListedObject>();
  try {
    for await (const page of listObjects(bucket, prefix)) {
      for (const object of page) existing.set(object.key, object);
    }
  } catch (thrown) {
    if (!(thrown instanceof S3Failure) || thrown.status !== 403) throw thrown;
  }
  return existing;
}

/** False when the object is the same already. */
async function sendFile(
  bucket: Bucket,
  file: UploadFile,
  existing: ListedObject | undefined,
): Promise<boolean> {
  if (file.sizeBytes > PART_BYTES) return await sendLarge(bucket, file, existing);
  const body = await readFile(file.path);
  if (existing?.sizeBytes === body.length && existing.etag === `"${md5(body).toString("hex")}"`) return false;
  await bucket.send("PUT", file.key, { body });
  return true;
}

async function sendLarge(
  bucket: Bucket,
  file: UploadFile,
  existing: ListedObject | undefined,
): Promise<boolean> {
  const partBytes = Math.max(PART_BYTES, Math.ceil(file.sizeBytes / MAX_PARTS));
  if (existing?.sizeBytes === file.sizeBytes && existing.etag === `"${await etagOf(file, partBytes)}"`)
    return false;
  const started = await bucket.send("POST", file.key, { query: "uploads=", body: new Uint8Array() });
  const uploadId = childText(parseXml(started.body.toString("utf8")), "UploadId");
  if (uploadId === undefined) throw new OddAnswer("The answer to CreateMultipartUpload holds no UploadId");
  const id = `uploadId=${encodeURIComponent(uploadId)}`;
  const parts: string[] = [];
  for await (const body of partsOf(file, partBytes)) {
    const number = parts.length + 1;
    const { headers } = await bucket.send("PUT", file.key, { query: `partNumber=${number}&${id}`, body });
    const { etag } = headers;
    if (typeof etag !== "string") throw new OddAnswer("The answer to UploadPart holds no ETag");
    parts.push(`<Part><PartNumber>${number}</PartNumber><ETag>${etag}</ETag></Part>`);
  }
  const body = Buffer.from(`<CompleteMultipartUpload>${parts.join("")}</CompleteMultipartUpload>`);
  const { body: answer } = await bucket.send("POST", file.key, { query: id, body });
  // A failure may come with a status of success.
  const result = parseXml(answer.toString("utf8"));
  if (result?.name === "Error")
    throw new OddAnswer(childText(result, "Message") ?? "CompleteMultipartUpload failed");
  return true;
}

/** As S3 makes it of parts: the MD5 of their MD5s, and their number. */
async function etagOf(file: UploadFile, partBytes: number): Promise<string> {
  const sums: Buffer[] = [];
  for await (const part of partsOf(file, partBytes)) sums.push(md5(part));
  return `${md5(Buffer.concat(sums)).toString("hex")}-${sums.length}`;
}

async function* partsOf({ path }: UploadFile, partBytes: number): AsyncGenerator<Buffer> {
  const file = await open(path);
  try {
    for (let at = 0; ; at += partBytes) {
      const buffer = Buffer.allocUnsafe(partBytes);
      const { bytesRead } = await file.read(buffer, 0, partBytes, at);
      if (bytesRead === 0) return;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}

/** The sum by which S3 names an object's content; nothing rests on its being hard to forge. */
function md5(bytes: Uint8Array): Buffer {
  return createHash("md5").update(bytes).digest();
}
