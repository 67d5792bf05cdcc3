import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { runCli } from "../run-cli.ts";

const folder = mkdtempSync(join(tmpdir(), "armorm-data-cli-"));
afterAll(() => rmSync(folder, { recursive: true }));
const at = (name: string) => join(folder, name);

const rating = (prompt: string, response: string, quality: number) =>
  JSON.stringify({ prompt, response, ratings: { quality, verbosity: response.length } });
writeFileSync(
  at("ratings.jsonl"),
  [rating("A?", "yes", 4), rating("A?", "yes indeed", 1), rating("B?", "no", 2), "{broken"].join("\n"),
);
writeFileSync(at("benchmark.jsonl"), JSON.stringify({ prompt: "a?", chosen: "x", rejected: "y" }));

test("binarize, describe, split and overlap print JSON alone on stdout, and count a bad row", async () => {
  const data = ["--data", at("ratings.jsonl"), "--json"];
  const [pairs, about, split, overlap] = await Promise.all([
    runCli(["data", "binarize", ...data, "--objectives", "quality", "--out", at("pairs.jsonl")]),
    runCli(["data", "describe", ...data]),
    runCli(["data", "split", ...data, "--fractions", "train=0.5,test=0.5", "--out", at("split")]),
    runCli(["data", "overlap", ...data, "--against", at("benchmark.jsonl"), "--write", at("clean.jsonl")]),
  ]);
  for (const { code, stderr } of [pairs, about, split, overlap]) {
    expect(stderr).toMatch(/^1 row could not be used \(the first: .*ratings\.jsonl: line 4: malformed JSON/);
    expect(code).toBe(2);
  }
  expect(JSON.parse(pairs.stdout)).toMatchObject({ pairs: 1, margin: { mean: 3 }, rejected: { count: 1 } });
  expect(JSON.parse(readFileSync(at("pairs.jsonl"), "utf8"))).toMatchObject({ chosen: "yes", margin: 3 });
  expect(JSON.parse(about.stdout).files).toMatchObject([{ kind: "ratings", rows: 3, prompts: 2 }]);
  expect(JSON.parse(split.stdout).splits).toMatchObject([{ name: "train" }, { name: "test" }]);
  expect(existsSync(at("split/train.jsonl"))).toBe(true);
  expect(JSON.parse(overlap.stdout)).toMatchObject({ rows: 3, sharedRows: 2, written: { rows: 1 } });
  expect(readFileSync(at("clean.jsonl"), "utf8")).toBe(`${rating("B?", "no", 2)}\n`);
});

test("for people there are tables", async () => {
  const [about, overlap] = await Promise.all([
    runCli(["data", "describe", "--data", at("ratings.jsonl"), at("benchmark.jsonl")]),
    runCli(["data", "overlap", "--data", at("benchmark.jsonl"), "--against", at("benchmark.jsonl")]),
  ]);
  expect(about.stdout).toMatch(/ratings\.jsonl: 3 rows of ratings, 2 prompts/);
  expect(about.stdout).toMatch(/quality +3 +0 +1 +2\.333 +4/);
  expect(about.stdout).toMatch(/benchmark\.jsonl: 1 row of pairs, 1 prompt\n/);
  expect(overlap.stdout).toMatch(/1 of 1 row with a prompt that both hold/);
  expect(overlap.code).toBe(0);
});

test("wrong shares, missing files and existing output are refused in one line with a remedy", async () => {
  writeFileSync(at("there.jsonl"), "mine");
  const split = (fractions: string) =>
    runCli(["data", "split", "--data", at("ratings.jsonl"), "--out", at("x"), "--fractions", fractions]);
  const [sum, twice, missing, there] = await Promise.all([
    split("train=0.8,test=0.3"),
    split("train=0.5,train=0.5"),
    runCli(["data", "describe", "--data", at("nowhere.jsonl")]),
    runCli(["data", "binarize", "--data", at("ratings.jsonl"), "--out", at("there.jsonl")]),
  ]);
  expect(sum.stderr).toMatch(/expected shares that add up to 1, got 1\.1/);
  expect(twice.stderr).toMatch(/expected different names, got train twice/);
  expect(missing.stderr).toMatch(/nowhere\.jsonl: no such file\n {7}check the path/);
  expect(there.stderr).toMatch(/expected a new file, got one that exists\n {7}name another, or give --over/);
  expect([sum, twice, missing, there].map(({ code }) => code)).toEqual([2, 2, 2, 2]);
  expect(readFileSync(at("there.jsonl"), "utf8")).toBe("mine");
});

test("group writes best-of-N rows that embed tells by itself and inspect describes", async () => {
  const pair = (prompt: string, chosen: string, rejected: string) =>
    JSON.stringify({ prompt, chosen, rejected });
  const lines = [
    pair("1 + 1?", "A: 2", "A: 3"),
    pair("1 + 1?", "A: 2", "A: 4"),
    pair("x?", "y", "y"),
    pair("a?", "b", "c"),
  ];
  writeFileSync(at("sums.jsonl"), lines.join("\n"));
  const group = ["data", "group", "--data", at("sums.jsonl"), "--out", at("grouped.jsonl")];
  const json = await runCli([...group, "--json"]);
  expect(JSON.parse(json.stdout)).toMatchObject({
    pairs: 3,
    prompts: 2,
    responses: 5,
    correct: 2,
    conflicts: 0,
  });
  expect(json.stderr).toMatch(/^1 row could not be used .*line 3/);
  expect(json.code).toBe(2);
  const { stdout } = await runCli([...group, "--overwrite"]);
  expect(stdout).toMatch(/2 prompts with 5 responses, 2 of them labelled 1; 2 … 3 per prompt, mean 2\.50/);
  const embedded = await runCli([
    ...["embed", "--backbone", "tiny", "--data", at("grouped.jsonl"), "--out", at("embedded")],
    "--json",
  ]);
  expect(JSON.parse(embedded.stdout)).toMatchObject({ kind: "best-of-n", rowsOut: 2, responses: 5 });
  const inspected = await runCli(["inspect", at("embedded")]);
  expect(inspected.stdout).toMatch(/2 of 2 best-of-n prompts with 5 responses, 256 wide/);
});

test("every subcommand shows examples", async () => {
  for (const name of ["describe", "binarize", "group", "split", "overlap"]) {
    const { stdout } = await runCli(["data", name, "--help"]);
    expect(stdout.split("Examples:")[1]?.match(new RegExp(`armorm data ${name} `, "g"))?.length).toBe(2);
  }
});
