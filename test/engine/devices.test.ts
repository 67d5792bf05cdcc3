import { expect, test } from "vitest";
import {
  chooseDevice,
  computesF16,
  type Device,
  isInstalled,
  startDevice,
} from "../../src/engine/devices.ts";
import { Graph } from "../../src/engine/graph.ts";
import { openSession } from "../../src/engine/session.ts";

test("the CPU is always there, and computes in f16 by way of f32", async () => {
  expect(isInstalled("cpu")).toBe(true);
  await startDevice("cpu");
  expect(await computesF16("cpu")).toBe(true);
});

test.skipIf(isInstalled("cuda"))("without CUDA, auto is the CPU and says nothing", async () => {
  const notes: string[] = [];
  expect(await chooseDevice("auto", (note) => notes.push(note))).toBe("cpu");
  expect(notes).toEqual([]);
});

test.skipIf(isInstalled("cuda"))(
  "CUDA that is not installed is refused in one line, with the command that adds it",
  async () => {
    const offered = process.platform === "linux" && process.arch === "x64";
    const error = {
      code: "missing-device",
      message: expect.stringMatching(/^device cuda: expected [^\n]+, got [^\n]+$/),
      remedy: expect.stringContaining(
        offered ? "ONNXRUNTIME_NODE_INSTALL=cuda12 npm rebuild onnxruntime-node" : "--device cpu",
      ),
    };
    await expect(chooseDevice("cuda")).rejects.toMatchObject(error);
    const graph = new Graph();
    graph.output("y", graph.input("x", "f32", [1]));
    await expect(openSession(graph, { device: "cuda" })).rejects.toMatchObject(error);
  },
);

test("a device that does not exist is refused by name", async () => {
  await expect(chooseDevice("tpu" as Device)).rejects.toMatchObject({
    code: "unknown-device",
    message: 'device: expected auto, cpu, cuda, webgpu, got "tpu"',
  });
});
