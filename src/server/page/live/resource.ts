import { useCallback, useEffect, useRef, useState } from "preact/hooks";

import { ApiError } from "../api/client.ts";
import { credentials } from "../api/credentials.ts";
import { connectionCount } from "./connection.ts";

export interface Resource<T> {
  /** What was read last; stays while it is read again. */
  readonly data: T | undefined;
  readonly error: ApiError | undefined;
  /** Reads again soon; many calls at once make one. */
  readonly reload: () => void;
}

export interface ResourceOptions {
  /** Reads again after so long, while the tab is seen. */
  readonly everyMs?: number;
}

const SOON_MS = 150;
/** A slow answer is not asked for again at once: so many times as long as it took is left between two questions. */
const PATIENCE = 3;

/**
 * Reads something of the API for a component: at first, when `key` changes, after each reconnection, on `reload()`, and now
 * and then. An answer that a newer question has overtaken is dropped.
 */
export function useResource<T>(
  key: string,
  read: (signal: AbortSignal) => Promise<T>,
  { everyMs }: ResourceOptions = {},
): Resource<T> {
  const [state, setState] = useState<{ key: string; data?: T; error?: ApiError }>({ key });
  const reader = useRef(read);
  reader.current = read;
  const soon = useRef<number | undefined>(undefined);
  const current = useRef<AbortController | undefined>(undefined);

  const lastTookMs = useRef(0);

  const start = useCallback(() => {
    const beganAt = performance.now();
    window.clearTimeout(soon.current);
    soon.current = undefined;
    current.current?.abort();
    const controller = new AbortController();
    current.current = controller;
    reader.current(controller.signal).then(
      (data) => {
        lastTookMs.current = performance.now() - beganAt;
        if (!controller.signal.aborted) setState({ key, data });
      },
      (thrown: unknown) => {
        if (controller.signal.aborted) return;
        const error = thrown instanceof ApiError ? thrown : new ApiError(0, String(thrown));
        setState((last) => ({ ...(last.key === key ? last : { key }), error }));
      },
    );
  }, [key]);

  const reload = useCallback(() => {
    soon.current ??= window.setTimeout(start, Math.max(SOON_MS, PATIENCE * lastTookMs.current));
  }, [start]);

  useEffect(() => {
    start();
    const unwatch = [connectionCount.watch(reload), credentials.watch(reload)];
    const timer =
      everyMs === undefined
        ? undefined
        : window.setInterval(() => {
            if (!document.hidden) reload();
          }, everyMs);
    return () => {
      for (const end of unwatch) end();
      window.clearInterval(timer);
      window.clearTimeout(soon.current);
      soon.current = undefined;
      current.current?.abort();
    };
  }, [start, reload, everyMs]);

  const isCurrent = state.key === key;
  return { data: isCurrent ? state.data : undefined, error: isCurrent ? state.error : undefined, reload };
}
