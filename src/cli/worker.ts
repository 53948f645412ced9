#!/usr/bin/env node
import "./v8.ts";

import { main } from "./main.ts";
import { processIo } from "./process-io.ts";

// `worker start …` is short for `lighterman worker start …`.
process.exitCode = await main(["worker", ...process.argv.slice(2)], processIo());
