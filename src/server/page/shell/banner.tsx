import { isReachable } from "../api/client.ts";
import { connectionCount, liveness } from "../live/connection.ts";
import { useStore } from "../live/store.ts";
import { useEffect, useState } from "preact/hooks";

import type { JSX } from "preact";

const PATIENCE_MS = 1500;

/** Says that the server is away, and that nobody has to do anything about it. */
export function Banner(): JSX.Element | null {
  const isLive = useStore(liveness) === "live";
  const isAnswering = useStore(isReachable);
  const hasBeenLive = useStore(connectionCount) > 0;
  const [isLong, setIsLong] = useState(false);
  useEffect(() => {
    setIsLong(false);
    if (isLive) return undefined;
    const timer = window.setTimeout(() => setIsLong(true), PATIENCE_MS);
    return () => window.clearTimeout(timer);
  }, [isLive]);
  if (isLive || !(isLong || (hasBeenLive && !isAnswering))) return null;
  return (
    <div class="banner" role="alert">
      The server is away. What is shown may be out of date; it is brought up to date as soon as the server is
      back.
    </div>
  );
}
