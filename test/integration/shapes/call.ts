/**
 * One request of the scenario that is played against a real Prefect server and against ours. In the path, the body and the headers
 * `<name>` stands for a saved value; `<missing>` is an id that nothing has.
 */
export interface Call {
  /** Method and path below the API, as in `GET /flows/<flow>`. */
  readonly request: string;
  readonly body?: unknown;
  /** Sent instead of the body's JSON. */
  readonly text?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Values of the answer that later calls need, by their place: `{ flow: "id" }`, `{ first: "results.0.id" }`. */
  readonly saves?: Readonly<Record<string, string>>;
  /** Asked again until the answer has these values at these places. */
  readonly until?: Readonly<Record<string, unknown>>;
  /** Places of the body that differ (`*` is any key), and why; `answer` is the whole answer. */
  readonly differs?: Readonly<Record<string, string>>;
  /** The body is a list in the order of random ids. */
  readonly isUnordered?: true;
  /** Why our body has only some of the keys; those that it has are compared. */
  readonly isPartial?: string;
}

/** What a server answered to a call, ready for the comparison. */
export interface Answer {
  /** The call's request, with what stood for its placeholders. */
  readonly request: string;
  readonly status: number;
  readonly type: string;
  readonly body: unknown;
}

/** Calls that must fail with 404 for an id that nothing has. */
export function missing(...requests: readonly string[]): readonly Call[] {
  return requests.map((request) => ({ request, body: request.startsWith("GET") ? undefined : {} }));
}

/** What stands at a place of an answer. */
export function at(body: unknown, place: string): unknown {
  let value = body;
  for (const key of place === "" ? [] : place.split(".")) {
    if (typeof value !== "object" || value === null) return undefined;
    value = (value as Record<string, unknown>)[key];
  }
  return value;
}
