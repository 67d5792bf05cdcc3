import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runCli } from "../run-cli.ts";
import { writeSmallModel } from "./small-model.ts";

const folder = mkdtempSync(join(tmpdir(), "armorm-evaluation-reports-"));
const at = (name: string) => join(folder, name);
afterAll(() => rmSync(folder, { recursive: true }));

// The second row is none: places of the others must not shift.
const rows = ["one", "two", "three", "four"].map((word, i) =>
  i === 1
    ? { id: i, prompt: word }
    : {
        id: i,
        subset: i < 2 ? "low" : "high",
        prompt: `Say ${word}.`,
        chosen: `<b>${word}`,
        rejected: `no ${word}`,
      },
);

beforeAll(async () => {
  await writeSmallModel(at("report"), 1);
  await writeSmallModel(at("other"), 2);
  writeFileSync(at("pairs.jsonl"), rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
});

test("of several models, one page compares them and links to a page of each, with the hardest pairs' texts", async () => {
  const args = ["--model", at("report"), at("other"), "--data", at("pairs.jsonl"), "--out", at("out")];
  const { code, stderr } = await runCli(["evaluate", "pairs", ...args]);
  // One row could not be read.
  expect(code).toBe(2);
  // A model called like the page on all of them keeps a page of its own.
  const pages = ["report.html", "report.model.html", "other.html"].map((name) => at(`out/${name}`));
  expect(stderr).toContain(`see ${pages.join(", ")}`);
  const [together, first, second] = pages.map((page) => readFileSync(page, "utf8"));
  expect(together).toContain('<section id="differences">');
  expect([...together!.matchAll(/href="([^"]+)"/g)].map(([, href]) => href)).toEqual([
    ...["report.model.html", "other.html"],
    ...["report.model.html", "other.html"],
  ]);
  for (const page of [first, second]) {
    for (const word of ["one", "three", "four"]) {
      expect(page).toContain(
        `<dt>prompt</dt><dd>Say ${word}.</dd><dt>preferred</dt><dd>&lt;b&gt;${word}</dd><dt>other</dt><dd>no ${word}</dd>`,
      );
    }
  }
});

test("a report takes its model's part of an evaluation of several", async () => {
  const evaluation = ["--evaluation", at("out/evaluation.json")];
  const { code } = await runCli(["report", at("other"), ...evaluation, "--out", at("other.html")]);
  expect(code).toBe(0);
  const { models } = JSON.parse(readFileSync(at("out/evaluation.json"), "utf8"));
  const page = readFileSync(at("other.html"), "utf8");
  expect(page).toContain(`${(100 * models[1].score).toFixed(1)} %`);
  expect(page).toContain(models[1].margins.percentiles.p50.toFixed(3).replace("-", "−"));

  await writeSmallModel(at("third"), 3);
  const wrong = await runCli(["report", at("third"), ...evaluation]);
  expect(wrong).toMatchObject({ code: 2, stdout: "" });
  expect(wrong.stderr).toContain(`got those of ${at("report")}, ${at("other")}`);
});
