import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { TrainingReport } from "../../src/armo/training-report.ts";
import { generateDemoData } from "../../src/data/synthetic/demo-data.ts";
import { runCli } from "../run-cli.ts";

const folder = mkdtempSync(join(tmpdir(), "armorm-train-"));
const at = (name: string) => join(folder, name);
const data = generateDemoData({ seed: 4, ratings: 160, pairs: 100, evaluationPairs: 1 });

async function embed(name: string, rows: readonly unknown[]): Promise<void> {
  const file = at(`${name}.jsonl`);
  writeFileSync(file, rows.map((row) => JSON.stringify(row)).join("\n"));
  const { code } = await runCli(["embed", "--backbone", "tiny", "--data", file, "--out", at(name)]);
  expect(code).toBe(0);
}

const train = (out: string, ...more: string[]) =>
  runCli([
    ...["train", "--ratings", at("ratings"), "--pairs", at("pairs"), "--out", at(out)],
    ...[
      "--objectives",
      "correctness,politeness,length",
      "--steps",
      "5",
      "--hidden-dim",
      "8",
      "--batch-size",
      "32",
    ],
    ...more,
  ]);

beforeAll(async () => {
  await embed(
    "ratings",
    data.ratings.map((row) => ({ ...row, ratings: { ...row.ratings, always: 2 } })),
  );
  await embed("pairs", data.pairs);
}, 120_000);
afterAll(() => rmSync(folder, { recursive: true }));

describe("armorm train", () => {
  it("takes penalties, folds, an intercept, a second fit and the correlation to bring to zero", async () => {
    const plain = JSON.parse((await train("plain", "--json")).stdout) as TrainingReport;
    const flags = [
      "--alphas",
      "10,0.5",
      "--folds",
      "4",
      "--intercept",
      "--refit",
      "--debias-correlation",
      "pearson",
    ];
    const { stdout, code } = await train("model", "--json", ...flags);
    expect(code).toBe(0);
    const report = JSON.parse(stdout) as TrainingReport;
    expect(report.options).toMatchObject({
      regression: {
        alphas: [10, 0.5],
        folds: 4,
        intercept: true,
        refit: true,
      },
    });
    expect(report.correlation).toBe("pearson");
    for (const [k, objective] of report.objectives.entries()) {
      expect(objective.path.map(([alpha]) => alpha)).toEqual([0.5, 10]);
      expect(Math.abs(objective.intercept)).toBeGreaterThan(1e-3);
      expect(plain.objectives[k]!.intercept).toBe(0);
      expect(objective.trainRows).toBe(plain.objectives[k]!.trainRows + plain.objectives[k]!.validationRows);
      expect(objective.validationRows).toBe(plain.objectives[k]!.trainRows);
    }
    expect(readFileSync(at("model/README.md"), "utf8")).toContain("With `--refit`");
    expect(readFileSync(at("plain/README.md"), "utf8")).not.toContain("With `--refit`");
    const config = (name: string) => JSON.parse(readFileSync(at(`${name}/config.json`), "utf8"));
    for (const [k, { scale }] of config("model").objectives.entries()) {
      const before = config("plain").objectives[k].scale;
      expect(scale.multiply).toBe(before.multiply);
      expect(scale.add).toBeCloseTo(before.add + report.objectives[k]!.intercept * scale.multiply, 10);
    }
    for (const { name, status, after, penalties } of report.transform) {
      if (name !== "length" && penalties[0]! > 0) {
        expect(status).toBe("ok");
        expect(Math.abs(after[0]!)).toBeLessThan(1e-5);
      }
    }
  });

  it("reads the ratings more often where memory is short, and says so", async () => {
    const { code, stdout } = await train("short", "--memory", "10MB", "--debias-method", "grid");
    expect(code).toBe(0);
    const report = JSON.parse(readFileSync(at("short/training.json"), "utf8")) as TrainingReport;
    expect(report.passes).toBeGreaterThan(1);
    expect(stdout).toContain(`${report.passes} passes over the ratings`);
    expect(report.options).toMatchObject({ debiasing: { method: "grid" } });
    const little = await train("none", "--memory", "1MB");
    expect(little.code).toBe(2);
    expect(little.stderr).toMatch(/expected memory for one objective at a time, about \d+ MB, got 1 MB/);
  });

  it("says what an objective that it cannot trust needs", async () => {
    const { stdout } = await train("careful", "--objectives", "correctness,always", "--debias", "none");
    expect(stdout).toContain("careful: always (constant: all its ratings are equal: leave it out");
    const { code, stderr } = await train("singular", "--alphas", "0");
    expect(code).toBe(2);
    expect(stderr).toContain("correctness: singular");
    expect(stderr).toContain("add larger penalties");
  });

  it.each([
    [["--folds", "1"], "expected a whole number above 1"],
    [["--alphas", "1,-2"], "expected a number of at least 0"],
    [["--memory", "much"], "expected a size, as in 2GB"],
    [["--debias-correlation", "kendall"], "Allowed choices are spearman, pearson"],
    [["--debias-method", "grid", "--debias-correlation", "pearson"], "use the method root"],
  ])("refuses %s", async (flags, message) => {
    const { code, stderr } = await train("refused", ...flags);
    expect(code).toBe(2);
    expect(stderr).toContain(message);
  });
});
