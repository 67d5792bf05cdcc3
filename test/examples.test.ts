import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";

const examples = join(import.meta.dirname, "../examples");
const folder = mkdtempSync(join(tmpdir(), "armorm-examples-"));
const model = join(folder, "model");
afterAll(() => rmSync(folder, { recursive: true }));

/** Runs an example as a user does, on the built package. */
async function run(name: string, ...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [
    "--import",
    "tsx",
    join(examples, name),
    ...args,
  ]);
  return stdout;
}

const numbers = (text: string, pattern: RegExp): number[] =>
  [...text.matchAll(pattern)].map((match) => Number(match[1]));

let training: string;
beforeAll(async () => {
  training = await run("train-your-own-objectives.ts", folder);
}, 120_000);

test("train-your-own-objectives ends with ratings on the scales on which people rated", () => {
  expect(training).toContain("ratings: 243 rows embedded");
  const fits = numbers(training, /R² ([\d.]+)/g);
  expect(fits).toHaveLength(5);
  for (const r2 of fits) expect(r2).toBeGreaterThan(0.7);
  for (const [name, middle] of [
    ["accuracy (0-10)", 5],
    ["warmth (1-7)", 4],
    ["safe (0 or 1)", 0.5],
  ] as const) {
    const line = new RegExp(`^ {2}${name.replace(/[()]/g, "\\$&")} +(-?[\\d.]+)$`, "gm");
    const [good, bad] = numbers(training, line);
    expect(good).toBeGreaterThan(middle);
    expect(bad).toBeLessThan(middle);
  }
});

test("score prints contributions that sum to the score", async () => {
  const output = await run("score.ts", model);
  const answers = output.split(/^(?=answer)/m);
  expect(answers).toHaveLength(2);
  for (const answer of answers) {
    const [score] = numbers(answer, /score (-?[\d.]+)/g);
    const contributions = numbers(answer, /^ {2}\S.*? (-?\d+\.\d{4})/gm);
    expect(contributions).toHaveLength(5);
    expect(contributions.reduce((sum, value) => sum + value, 0)).toBeCloseTo(score!, 3);
  }
});

test("compare prints the winner, and contributions that sum to the margin", async () => {
  const output = await run("compare.ts", model);
  expect(output).toMatch(/^the winner: "/);
  expect(numbers(output, /probability ([\d.]+)/g)[0]).toBeGreaterThanOrEqual(0.5);
  const contributions = numbers(output, /^ {2}\S.*? (-?\d+\.\d{4})/gm);
  const [margin] = numbers(output, /margin (-?[\d.]+)/g);
  expect(contributions.reduce((sum, value) => sum + value, 0)).toBeCloseTo(margin!, 3);
});

test("best-of-n ranks the answers and ends with a row for preference training", async () => {
  const lines = (await run("best-of-n.ts", model)).trim().split("\n");
  const scores = numbers(lines.join("\n"), /^\d\. +(-?[\d.]+)/gm);
  expect(scores).toHaveLength(5);
  expect(scores).toEqual([...scores].sort((a, b) => b - a));
  const row = JSON.parse(lines.at(-1)!);
  expect(lines[0]!.endsWith(row.chosen)).toBe(true);
  expect(lines[4]!.endsWith(row.rejected)).toBe(true);
});

test("heads-only takes length out of the rewards and finds what each kind of prompt asks for", async () => {
  const output = await run("heads-only.ts");
  for (const before of numbers(output, /with length ([\d.]+)/g)) expect(before).toBeGreaterThan(0.4);
  for (const after of numbers(output, /→ (-?[\d.]+)$/gm).slice(0, 2))
    expect(Math.abs(after)).toBeLessThan(0.05);
  expect(numbers(output, /unseen pairs: ([\d.]+)/g)[0]).toBeGreaterThan(0.85);
  const [facts, talk] = output.split("\n").filter((line) => line.startsWith("a prompt"));
  expect(numbers(facts!, /correct ([\d.]+)/g)[0]).toBeGreaterThan(0.6);
  expect(numbers(talk!, /kind ([\d.]+)/g)[0]).toBeGreaterThan(0.6);
});

test("every example is run here", () => {
  const names = readdirSync(examples).filter((name) => name.endsWith(".ts"));
  expect(names.sort()).toEqual([
    "best-of-n.ts",
    "compare.ts",
    "heads-only.ts",
    "score.ts",
    "train-your-own-objectives.ts",
  ]);
});
