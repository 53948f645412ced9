import { setFlagsFromString } from "node:v8";

// Must run before anything else is imported. undici parses HTTP with a WebAssembly module; compiling it with V8's optimizing
// compiler takes 35 MB for a moment and 10 MB for good, and a worker's few requests never win that back.
setFlagsFromString("--liftoff-only");
