import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const root = fileURLToPath(new URL("..", import.meta.url));

export default defineConfig({
  root,
  test: {
    // Most tests wait for processes and sockets rather than for the CPU.
    maxWorkers: 2,
    projects: [
      { test: { name: "unit", root, include: ["src/**/*.test.ts", "test/architecture.test.ts"] } },
      {
        test: {
          name: "component",
          root,
          include: ["test/component/**/*.test.ts"],
          globalSetup: ["test/component/global-setup.ts"],
          testTimeout: 30_000,
          hookTimeout: 30_000,
        },
      },
      {
        test: {
          name: "integration",
          root,
          include: ["test/integration/**/*.test.ts"],
          globalSetup: ["test/integration/global-setup.ts"],
          testTimeout: 180_000,
          hookTimeout: 240_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
