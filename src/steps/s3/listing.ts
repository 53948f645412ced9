import { OddAnswer } from "./failure.ts";
import { childText, parseXml } from "./xml.ts";

import type { Bucket } from "./bucket.ts";

export interface ListedObject {
  readonly key: string;
  readonly sizeBytes: number;
  /** As S3 writes it, with its quotes; undefined where the service has none. */
  readonly etag: string | undefined;
}

interface Page {
  readonly objects: readonly ListedObject[];
  /** Undefined on the last page. */
  readonly next: string | undefined;
}

// A page holds a thousand keys of up to 1 KiB, which percent-encoding may treble.
const MAX_PAGE_BYTES = 16 * 1024 * 1024;

/** Yields the objects under the prefix, page by page. The next page is asked for while the last one is worked on. */
export async function* listObjects(bucket: Bucket, prefix: string): AsyncGenerator<readonly ListedObject[]> {
  let pending = requestPage(bucket, prefix, undefined);
  for (;;) {
    const page = await pending;
    if (page.next === undefined) {
      yield page.objects;
      return;
    }
    pending = requestPage(bucket, prefix, page.next);
    pending.catch(() => undefined); // awaited above, unless the consumer ends before
    yield page.objects;
  }
}

async function requestPage(bucket: Bucket, prefix: string, token: string | undefined): Promise<Page> {
  const answer = await bucket.list(
    {
      "list-type": "2",
      "encoding-type": "url",
      prefix,
      ...(token === undefined ? {} : { "continuation-token": token }),
    },
    { maxBodyBytes: MAX_PAGE_BYTES },
  );
  const page = parsePage(answer.body.toString("utf8"));
  if (page.next !== undefined && page.next === token)
    throw new OddAnswer("The listing of the bucket never ends");
  return page;
}

/** Reads a ListBucketResult. Throws an OddAnswer for anything else. */
function parsePage(document: string): Page {
  const result = parseXml(document);
  if (result?.name !== "ListBucketResult") throw new OddAnswer("The answer to the listing is not S3's");
  // Services that know no encoding-type send the keys as they are.
  const decode = childText(result, "EncodingType") === "url" ? decodeKey : (key: string) => key;
  const objects: ListedObject[] = [];
  for (const element of result.children) {
    if (element.name !== "Contents") continue;
    let key: string | undefined;
    let sizeBytes = Number.NaN;
    let etag: string | undefined;
    for (const { name, text } of element.children) {
      if (name === "Key") key = text;
      else if (name === "Size") sizeBytes = Number(text);
      else if (name === "ETag") etag = text || undefined;
    }
    if (key === undefined || key === "" || !Number.isSafeInteger(sizeBytes) || sizeBytes < 0) {
      throw new OddAnswer("The listing of the bucket holds an object without key or size");
    }
    objects.push({ key: decode(key), sizeBytes, etag });
  }
  const isTruncated = childText(result, "IsTruncated") === "true";
  const next = isTruncated ? childText(result, "NextContinuationToken") || undefined : undefined;
  if (isTruncated && next === undefined) {
    throw new OddAnswer("The listing of the bucket is cut off: the service does not know ListObjectsV2");
  }
  return { objects, next };
}

/** Python's unquote_plus, by which botocore decodes keys. */
function decodeKey(encoded: string): string {
  if (!/[%+]/.test(encoded)) return encoded;
  try {
    return decodeURIComponent(encoded.replaceAll("+", " "));
  } catch {
    throw new OddAnswer(`The listing of the bucket holds a key that is no UTF-8: ${encoded}`);
  }
}
