import type { IncomingMessage, ServerResponse } from "node:http";

/** What goes wrong with the requests that match, in place of the answer. */
export interface Fault {
  readonly method?: string;
  /** Below `/api`, without the query: the whole path, or a pattern. Everything when absent. */
  readonly path?: string | RegExp;
  /** How many requests it hits; default: all, until its `clear()`. */
  readonly times?: number;
  /** `before`: the request has no effect. `after`: it takes effect and only its answer is spoilt. Default `before`. */
  readonly when?: "before" | "after";
  readonly kind:
    | "status" // answers `status` with `headers` and `body`
    | "html" // answers 200 with a page, as a captive portal does
    | "hang" // never answers
    | "hold" // arrives only after `clear()`, and is answered as ever
    | "cut-body" // promises more bytes than it sends, then closes
    | "stall-body" // promises more bytes than it sends, and keeps the connection open
    | "reset"; // resets the connection
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

export interface ActiveFault {
  /** Requests hit so far. */
  readonly hits: number;
  clear(): void;
}

interface Entry {
  readonly fault: Fault;
  hits: number;
  isOver: boolean;
  /** Resolves with `clear()`. */
  readonly over: Promise<void>;
}

export class Faults {
  #faults: Entry[] = [];

  add(fault: Fault): ActiveFault {
    let end = (): void => undefined;
    const over = new Promise<void>((resolve) => (end = resolve));
    const entry = { fault, hits: 0, isOver: false, over };
    this.#faults.push(entry);
    return {
      get hits() {
        return entry.hits;
      },
      clear() {
        entry.isOver = true;
        end();
      },
    };
  }

  /** What hits this request, if anything does; counts the hit. */
  take(method: string, path: string): Pick<Entry, "fault" | "over"> | undefined {
    const entry = this.#faults.find(
      ({ fault, hits, isOver }) =>
        !isOver &&
        hits < (fault.times ?? Infinity) &&
        (fault.method ?? method) === method &&
        (fault.path === undefined ||
          (typeof fault.path === "string" ? fault.path === path : fault.path.test(path))),
    );
    if (entry === undefined) return undefined;
    entry.hits += 1;
    return entry;
  }
}

const HTML_PAGE =
  "<!doctype html>\n<html><head><title>Sign in</title></head><body>Please sign in</body></html>";

export function applyFault(fault: Fault, request: IncomingMessage, response: ServerResponse): void {
  switch (fault.kind) {
    case "status": {
      const body = fault.body ?? { detail: `scripted ${fault.status}` };
      response.writeHead(fault.status ?? 503, { "content-type": "application/json", ...fault.headers });
      response.end(typeof body === "string" ? body : JSON.stringify(body));
      return;
    }
    case "html":
      response.writeHead(200, { "content-type": "text/html", ...fault.headers });
      response.end(HTML_PAGE);
      return;
    case "hang":
    case "hold":
      return;
    case "cut-body":
    case "stall-body":
      response.writeHead(200, { "content-type": "application/json", "content-length": "1000" });
      response.write('{"id": "', () => {
        if (fault.kind === "cut-body") request.socket.end();
      });
      return;
    case "reset":
      request.socket.resetAndDestroy();
  }
}
