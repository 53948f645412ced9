import { useEffect, useState } from "preact/hooks";

/** The time, told anew every so often while the tab is seen. */
export function useNow(everyMs = 1000): number {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const tell = (): void => {
      if (!document.hidden) setNow(Date.now());
    };
    const timer = window.setInterval(tell, everyMs);
    document.addEventListener("visibilitychange", tell);
    return () => {
      window.clearInterval(timer);
      document.removeEventListener("visibilitychange", tell);
    };
  }, [everyMs]);
  return now;
}
