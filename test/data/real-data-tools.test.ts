import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { afterAll, describe, expect, test } from "vitest";
import { finalAnswersOf, readBestOfN } from "../../src/data/best-of-n.ts";
import { binarize } from "../../src/data/binarize.ts";
import { describeData } from "../../src/data/describe-data.ts";
import { groupPairs } from "../../src/data/group-pairs.ts";
import { parseDataLocation } from "../../src/data/location.ts";
import { findOverlaps } from "../../src/data/overlap.ts";
import { splitByPrompt } from "../../src/data/split-by-prompt.ts";

const data = fileURLToPath(new URL("../../../shared/data/", import.meta.url));
const present = existsSync(data);
const location = (name: string) => parseDataLocation(`${data}${name}.jsonl.gz`);

const folder = mkdtempSync(join(tmpdir(), "armorm-tools-"));
afterAll(() => rmSync(folder, { recursive: true }));

describe.skipIf(!present)(`tools on public data sets${present ? "" : " (skipped: no ../shared)"}`, () => {
  test("summaries rated on three objectives become three pairs per story", async () => {
    const out = join(folder, "squality.jsonl");
    const report = await binarize([location("ratings/squality")], out);
    expect(report).toMatchObject({ prompts: 100, responses: 300, pairs: 300, ties: 0, scale: "unit" });
    expect(await describeData(parseDataLocation(out))).toMatchObject({
      kind: "pairs",
      rows: 300,
      prompts: 100,
      rejected: { count: 0 },
    });
  });

  test("one response per prompt gives no pair", async () => {
    await expect(
      binarize([location("ratings/finegrained_qa")], join(folder, "none.jsonl")),
    ).rejects.toMatchObject({ code: "no-pairs" });
  });

  test("sampled solutions become best-of-N rows; no wrong one ends with the answer of the right one", async () => {
    const out = join(folder, "gsm8k.jsonl");
    const report = await groupPairs([location("pairs/gsm8k_samples")], out);
    expect(report).toMatchObject({ pairs: 1257, prompts: 731, responses: 1988, correct: 731, conflicts: 0 });
    expect(report.responsesPerPrompt).toMatchObject({ minimum: 2, maximum: 3 });
    let shared = 0;
    for await (const row of readBestOfN([parseDataLocation(out)])) {
      if (row.kind === "error") throw new Error(row.error);
      const answers = finalAnswersOf(row);
      expect(answers).not.toContain(null);
      const right = answers.filter((_, r) => row.labels[r] === 1);
      expect(new Set(right).size).toBe(1);
      shared += answers.filter((answer, r) => row.labels[r] === 0 && answer === right[0]).length;
    }
    expect(shared).toBe(0);
  });

  test("a split holds every row once", async () => {
    const file = location("pairs/rewardbench_reconstructed");
    const fractions = new Map([
      ["train", 0.8],
      ["test", 0.2],
    ]);
    const { splits } = await splitByPrompt([file], folder, { fractions });
    const linesOf = (text: string) => text.trimEnd().split("\n");
    const written = splits.flatMap(({ files }) => linesOf(readFileSync(files[0]!, "utf8")));
    expect(written.sort()).toEqual(linesOf(gunzipSync(readFileSync(file.path)).toString("utf8")).sort());
    expect(splits.reduce((sum, { prompts }) => sum + prompts, 0)).toBe(3152);
  });

  test("training ratings share prompts with the benchmark made from them", async () => {
    const report = await findOverlaps(
      [location("ratings/xstest"), location("ratings/do_not_answer")],
      [location("pairs/rewardbench_reconstructed")],
    );
    expect(report.files).toMatchObject([
      { prompts: 450, sharedPrompts: 244, rows: 2250, sharedRows: 1220 },
      { prompts: 938, sharedPrompts: 100, rows: 5634, sharedRows: 600 },
    ]);
  });

  test("the length cue of a benchmark shows", async () => {
    const about = await describeData(location("pairs/rewardbench_reconstructed"));
    expect(about).toMatchObject({ kind: "pairs", rows: 5403, prompts: 3152, rejected: { count: 0 } });
    expect(about.chosenLonger!.characters).toBeCloseTo(0.581, 3);
    expect(Object.keys(about.subsets).length).toBe(21);
  });
});
