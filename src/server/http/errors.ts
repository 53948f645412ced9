import type { Json } from "../../json/value.ts";

/** An answer that is an error, with the body that Prefect's server gives. */
export class ApiError extends Error {
  readonly status: number;
  readonly body: Json;
  readonly headers: Readonly<Record<string, string>>;

  /** `body` is a text for FastAPI's `{"detail": …}`, or the whole body. */
  constructor(
    status: number,
    body: string | { readonly [key: string]: Json },
    headers: Readonly<Record<string, string>> = {},
  ) {
    super(typeof body === "string" ? body : JSON.stringify(body));
    this.name = "ApiError";
    this.status = status;
    this.headers = headers;
    this.body = typeof body === "string" ? { detail: body } : body;
  }
}

/** One value of a request that is wrong: becomes a 422 in the shape of pydantic's. */
export class InvalidValueError extends Error {
  readonly input: Json;

  constructor(message: string, input: Json) {
    super(message);
    this.name = "InvalidValueError";
    this.input = input;
  }
}

/** 404 as Prefect gives it for an object that is not there. */
export function notFound(what: string): ApiError {
  return new ApiError(404, `${what} not found`);
}

/** 422 in the shape of Prefect's server; `location` is the path to the value, as in `["body", "name"]`. */
export function invalidRequest(
  location: readonly (string | number)[],
  message: string,
  input: Json = null,
): ApiError {
  return new ApiError(422, {
    exception_message: "Invalid request received.",
    exception_detail: [{ type: "value_error", loc: location, msg: message, input }],
    request_body: null,
  });
}
