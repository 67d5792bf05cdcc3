import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    testTimeout: 60_000,
    // ONNX Runtime aborts when a worker thread ends during a run, so every test file has a process of its own.
    pool: "forks",
  },
});
