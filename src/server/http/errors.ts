import type { Json } from "../../json/value.ts";

/** An answer that is an error, with the body that Prefect's server gives. */
export class ApiError extends Error {
  readonly status: number;
  readonly body: Json;

  /** `body` is a text for FastAPI's `{"detail": …}`, or the whole body. */
  constructor(status: number, body: string | { readonly [key: string]: Json }) {
    super(typeof body === "string" ? body : JSON.stringify(body));
    this.name = "ApiError";
    this.status = status;
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

export interface InvalidValue {
  /** The path to the value, as in `["body", "name"]`. */
  readonly location: readonly (string | number)[];
  readonly message: string;
  readonly input?: Json;
}

/** 422 in the shape of Prefect's server. */
export function invalidValues(values: readonly InvalidValue[]): ApiError {
  return new ApiError(422, {
    exception_message: "Invalid request received.",
    exception_detail: values.map(({ location, message, input = null }) => ({
      type: "value_error",
      loc: location,
      msg: message,
      input,
    })),
    request_body: null,
  });
}

/** 422 for one value. */
export function invalidRequest(
  location: readonly (string | number)[],
  message: string,
  input: Json = null,
): ApiError {
  return invalidValues([{ location, message, input }]);
}
