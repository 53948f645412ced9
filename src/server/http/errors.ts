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

/** 404 as Prefect gives it where its routes look for an object. */
export function notFound(what: string): ApiError {
  return new ApiError(404, `${what} not found`);
}

/** 404 as Prefect gives it where its models look for an object. */
export function unknownObject(what: string, id: string): ApiError {
  return new ApiError(404, { exception_message: `${what} with id ${id} not found` });
}

/** 409 as Prefect gives it where a write would break a constraint of its database. */
export function integrityConflict(): ApiError {
  return new ApiError(
    409,
    "Data integrity conflict. This usually means a unique or foreign key constraint was violated. See server logs for details.",
  );
}

/** An answer for an invalid request: the app adds the request's body to it. */
export class InvalidRequestError extends ApiError {
  readonly detail: Json;

  constructor(location: readonly (string | number)[], message: string, input: Json) {
    const type = message === "Field required" ? "missing" : "value_error";
    const detail = [{ type, loc: location, msg: message, input }];
    super(422, { exception_message: INVALID, exception_detail: detail, request_body: null });
    this.name = "InvalidRequestError";
    this.detail = detail;
  }

  /** The answer's body, with what was sent. */
  bodyFor(sent: Json): Json {
    return { exception_message: INVALID, exception_detail: this.detail, request_body: sent };
  }
}

const INVALID = "Invalid request received.";

/** 422 in the shape of Prefect's server; `location` is the path to the value, as in `["body", "name"]`. */
export function invalidRequest(
  location: readonly (string | number)[],
  message: string,
  input: Json = null,
): InvalidRequestError {
  return new InvalidRequestError(location, message, input);
}
