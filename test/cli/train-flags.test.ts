import { expect, test } from "vitest";
import { applyFlags } from "../../src/cli/train-flags.ts";

const configuration = {
  ratings: ["r.jsonl"],
  pairs: ["p.jsonl"],
  seedSensitivity: 5,
  gating: { preset: "reference", steps: 9, initialScale: 1, dropout: 0.2, replacement: true, hiddenDim: 8 },
} as const;
const apply = (flags: Parameters<typeof applyFlags>[1]) => applyFlags(configuration, flags, (path) => path);

test("another preset takes back what the file's preset has chosen, and nothing else", () => {
  expect(apply({ preset: "paper" }).gating).toEqual({ preset: "paper", hiddenDim: 8 });
  expect(apply({ preset: "paper", steps: 3 }).gating).toEqual({ preset: "paper", hiddenDim: 8, steps: 3 });
  expect(apply({ preset: "reference" }).gating).toEqual(configuration.gating);
  expect(apply({}).gating).toEqual(configuration.gating);
});

test("a flag of 0 switches further seeds off", () => {
  expect(apply({ seedSensitivity: 0 }).seedSensitivity).toBe(0);
  expect(apply({}).seedSensitivity).toBe(5);
});
