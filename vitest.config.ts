import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    testTimeout: 120_000,
    // ONNX Runtime aborts when a worker thread ends during a run, so every test file has a process of its own.
    pool: "forks",
    // By default one core is kept free, which on two cores means one file at a time.
    maxWorkers: Math.max(2, availableParallelism() - 1),
  },
});
