import { it } from "vitest";

import { explainExit } from "./exit-explanations.ts";

import type { LaunchResult } from "./types.ts";

it.for([
  [{ kind: "exited", code: 0 }, 0, "info", /without an error/],
  [{ kind: "exited", code: 1 }, 1, "error", /general error/],
  [{ kind: "exited", code: 125 }, 125, "error", /container could not/],
  [{ kind: "exited", code: 126 }, 126, "error", /cannot be executed/],
  [{ kind: "exited", code: 127 }, 127, "error", /not found/],
  [{ kind: "exited", code: 137 }, 137, "error", /want of memory/],
  [{ kind: "exited", code: 143 }, 143, "info", /SIGTERM/],
  [{ kind: "exited", code: 247 }, 247, "error", /too much memory/],
  [{ kind: "exited", code: 0xc000013a }, 0xc000013a, "info", /Ctrl-C/],
  [{ kind: "exited", code: 42 }, 42, "error", /unexpected status/],
  [{ kind: "signaled", signal: "SIGKILL", forced: false }, -9, "info", /SIGKILL.*memory/],
  [{ kind: "signaled", signal: "SIGKILL", forced: true }, -9, "info", /by the worker/],
  [{ kind: "signaled", signal: "SIGKILL", forced: false, oomKilled: true }, -9, "error", /memory ran out/],
  [{ kind: "signaled", signal: "SIGTERM", forced: false }, -15, "info", /SIGTERM/],
  [{ kind: "signaled", signal: "SIGSEGV", forced: false }, -11, "error", /SIGSEGV/],
  [{ kind: "gone" }, null, "error", /no worker watched/],
] as [LaunchResult, number | null, string, RegExp][])(
  "explains %j",
  ([result, code, level, text], { expect }) => {
    const explained = explainExit(result);
    expect(explained).toMatchObject({ code, level });
    expect(explained.explanation).toMatch(text);
    expect(explained.hint).toMatch(/\.$/);
  },
);
