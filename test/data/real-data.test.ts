import { existsSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { describeFile } from "../../src/data/describe-file.ts";
import { parseDataLocation } from "../../src/data/location.ts";
import { readPairs } from "../../src/data/pairs.ts";
import { readRatings } from "../../src/data/ratings.ts";
import { collect } from "./data-file.ts";

const data = fileURLToPath(new URL("../../../shared/data/", import.meta.url));
const present = existsSync(data);
const filesOf = (folder: string) =>
  present ? readdirSync(`${data}${folder}`).filter((name) => name.endsWith(".jsonl.gz")) : [];

describe.skipIf(!present)(`public data sets${present ? "" : " (skipped: no ../shared)"}`, () => {
  test.each(filesOf("pairs"))("every row of pairs/%s is a pair", async (name) => {
    const location = parseDataLocation(`${data}pairs/${name}`);
    const records = await collect(readPairs([location]));
    expect(records.filter(({ kind }) => kind === "error")).toEqual([]);
    expect(records.length).toBe((await describeFile(location.path)).rows);
    expect(records.length).toBeGreaterThan(400);
  });

  test.each(filesOf("ratings"))("every row of ratings/%s is rated", async (name) => {
    const location = parseDataLocation(`real=${data}ratings/${name}`);
    const records = await collect(readRatings([location]));
    expect(records.filter(({ kind }) => kind === "error")).toEqual([]);
    expect(records.length).toBe((await describeFile(location.path)).rows);
    for (const record of records) {
      if (record.kind === "rating") expect(Object.keys(record.ratings).join()).toMatch(/^real-/);
    }
  });

  test("multi-turn prompts keep their turns", async () => {
    const records = await collect(readPairs([parseDataLocation(`${data}pairs/hh_harmless_test.jsonl.gz`)]));
    const turns = records.map((record) => (record.kind === "pair" ? record.prompt.length : 0));
    expect([1, 3, 5, 7].map((length) => turns.filter((n) => n === length).length)).toEqual([
      658, 579, 589, 354,
    ]);
    expect(records[0]).toMatchObject({ subset: "hh-harmless-base", id: '{"index":0}' });
  });

  test("prompt hashes find the prompts that data sets share", async () => {
    const prompts = async (path: string) => {
      const location = parseDataLocation(`${data}${path}.jsonl.gz`);
      const read = path.startsWith("pairs") ? readPairs([location]) : readRatings([location]);
      const records = await collect<{ readonly kind: string; readonly promptHash?: string }>(read);
      return new Set(records.map(({ promptHash }) => promptHash!));
    };
    const rewardbench = await prompts("pairs/rewardbench_reconstructed");
    const sharedWith = async (path: string) => {
      const own = await prompts(path);
      return [[...own].filter((hash) => rewardbench.has(hash)).length, own.size];
    };
    // Copies of one prompt here differ in white space: none of tulu1's is equal byte for byte.
    expect(await sharedWith("pairs/llmbar")).toEqual([418, 418]);
    expect(await sharedWith("pairs/tulu1_human")).toEqual([320, 320]);
    expect(await sharedWith("pairs/pandalm")).toEqual([151, 153]);
    expect(await sharedWith("ratings/xstest")).toEqual([244, 450]);
    expect(await sharedWith("ratings/do_not_answer")).toEqual([100, 938]);
    expect(await sharedWith("ratings/prometheus_gpt4_rubric")).toEqual([80, 398]);
    const [gsm8k] = await sharedWith("pairs/gsm8k_samples");
    expect(gsm8k).toBe(0);
  });
});
