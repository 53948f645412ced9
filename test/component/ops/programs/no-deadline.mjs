// Preloaded (`node --import`) into a worker whose requests may take 0.777 s: their deadline never comes, as if its code had
// forgotten it. Whatever loop asks a server that does not answer then hangs for ever, while the process goes on.
const real = globalThis.setTimeout;
globalThis.setTimeout = (callback, ms, ...more) =>
  ms === 777 ? real(() => undefined, 0) : real(callback, ms, ...more);
