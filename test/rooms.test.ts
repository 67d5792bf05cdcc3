import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { expect, test } from "vitest";

const src = join(import.meta.dirname, "../src");

// A room may import itself and whatever stands above it. `reward-model.ts` is the contract between reward models and the rest.
const ORDER = [
  "errors.ts",
  "nearest-name.ts",
  "random.ts",
  "version.ts",
  "chat",
  "checkpoint",
  "engine",
  "backbone",
  "data",
  "embedding",
  "reward-model.ts",
  "scoring",
  "armo",
  "siblings",
  "opening",
  "configuration",
  "evaluation",
  "report",
  "server",
  "index.ts",
  "cli",
];
// These three know nobody but the files above them that are no rooms.
const ALONE = ["chat", "checkpoint", "engine"];

const files = readdirSync(src, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".ts"));
const roomOf = (file: string): string => file.split("/")[0]!;

const imports = files.flatMap((file) => {
  const text = readFileSync(join(src, file), "utf8");
  const targets = [...text.matchAll(/(?:from|import\()\s*"(\.[^"]+)"/g)].map((match) => match[1]!);
  return targets.map((target) => ({ file, target: relative(src, join(src, dirname(file), target)) }));
});

test("every room has its place in the order, and there is no room for leftovers", () => {
  for (const file of files) expect(ORDER).toContain(roomOf(file));
  for (const file of files) expect(file).not.toMatch(/(^|\/)(utils?|helpers?|common)(\/|\.ts)/);
});

test("imports between rooms point one way", () => {
  expect(imports.length).toBeGreaterThan(50);
  const wrong = imports.filter(({ file, target }) => {
    const [from, to] = [roomOf(file), roomOf(target)];
    if (from === to) return false;
    if (ALONE.includes(from) && ALONE.includes(to)) return true;
    return ORDER.indexOf(to) > ORDER.indexOf(from);
  });
  expect(wrong).toEqual([]);
});

test("every import names a file that exists", () => {
  expect(imports.filter(({ target }) => !files.includes(target))).toEqual([]);
});

test("ONNX Runtime is loaded in one place, which turns its telemetry off first", () => {
  const harmless = /^import type .*$|typeof import\("onnxruntime-node"\)|\.resolve\("onnxruntime-node"\)/gm;
  const loading = files.filter((file) =>
    readFileSync(join(src, file), "utf8").replace(harmless, "").includes('"onnxruntime-node"'),
  );
  expect(loading).toEqual(["engine/runtime.ts"]);
});
