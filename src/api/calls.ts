import { isJsonObject } from "../json/value.ts";
import { UndecodableResponseError } from "./errors.ts";
import { FieldError, listIn } from "./fields.ts";

import type { Json } from "../json/value.ts";
import type { ApiRequest, CallOptions, Transport } from "./http.ts";

/** Told of each element of a list that was dropped because it could not be understood. */
export type OnUndecodable = (error: Error) => void;

export interface Caller {
  /** One object; throws UndecodableResponseError when it lacks what is needed. */
  read<T>(request: ApiRequest, decode: (value: Json) => T, options?: CallOptions): Promise<T>;
  /** One object, or null on 404. */
  find<T>(request: ApiRequest, decode: (value: Json) => T, options?: CallOptions): Promise<T | null>;
  /** A list; an element that cannot be understood is dropped. Statuses in `request.accept` give an empty list. */
  list<T>(request: ApiRequest, decode: (value: Json) => T, options?: CallOptions): Promise<T[]>;
  /** A call whose answer holds nothing; false when the status is one of `request.accept`. */
  tell(request: ApiRequest, options?: CallOptions): Promise<boolean>;
}

/** Typed calls over a transport. */
export function createCaller(transport: Transport, onUndecodable: OnUndecodable): Caller {
  async function find<T>(
    request: ApiRequest,
    decode: (value: Json) => T,
    options: CallOptions = {},
  ): Promise<T | null> {
    const answer = await transport.send({ ...request, accept: [404] }, options);
    return answer.status === 404 ? null : decodeAnswer(request, answer.status, answer.body, decode);
  }

  return {
    find,
    async read(request, decode, options) {
      const answer = await transport.send(request, options);
      return decodeAnswer(request, answer.status, answer.body, decode);
    },
    async list(request, decode, options) {
      const answer = await transport.send(request, options);
      if (request.accept?.includes(answer.status) === true) return [];
      const items = decodeAnswer(request, answer.status, answer.body, (body) => listIn(body, "objects"));
      return items.flatMap((item) => {
        try {
          return [decodeAnswer(request, answer.status, item, decode)];
        } catch (error) {
          if (!(error instanceof UndecodableResponseError)) throw error;
          onUndecodable(error);
          return [];
        }
      });
    },
    async tell(request, options) {
      const answer = await transport.send({ ...request, expect: "nothing" }, options);
      return request.accept?.includes(answer.status) !== true;
    },
  };

  function decodeAnswer<T>(request: ApiRequest, status: number, body: Json, decode: (value: Json) => T): T {
    try {
      return decode(body);
    } catch (thrown) {
      if (!(thrown instanceof FieldError)) throw thrown;
      throw new UndecodableResponseError({
        method: request.method,
        path: request.path,
        status,
        contentType: "application/json",
        snippet: outlineOf(body),
        problem: thrown.message,
        cause: thrown,
      });
    }
  }
}

/** Percent-encodes one part of a path, so that a name with a slash or blank stays one part. */
export function part(text: string): string {
  return encodeURIComponent(text);
}

/** Keys but no values: those of blocks are secrets. */
function outlineOf(body: Json): string {
  if (isJsonObject(body)) return `{${Object.keys(body).join(", ")}}`.slice(0, 512);
  return Array.isArray(body) ? `a list of ${body.length}` : typeof body;
}
