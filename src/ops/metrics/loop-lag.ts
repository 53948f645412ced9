const EVERY_MS = 500;

/** Measures how late the event loop gets to its timers, in seconds; two measurements a second. Returns what ends it. */
export function watchLoopLag(onLag: (seconds: number) => void): () => void {
  let due = performance.now() + EVERY_MS;
  const timer = setInterval(() => {
    const now = performance.now();
    onLag(Math.max(0, now - due) / 1000);
    due = now + EVERY_MS;
  }, EVERY_MS);
  timer.unref();
  return () => clearInterval(timer);
}
