// Data sets on the hub, from the command line: laid out as the published ones are.

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { EMBEDDED_DIRECTORY } from "../../src/checkpoint/location.ts";
import { type HubServer, startHub } from "../checkpoint/hub/hub-server.ts";
import { conversations, doubles, int64s, parquetBytes, strings } from "../data/parquet-file.ts";
import { runCli } from "../run-cli.ts";
import { writeSmallModel } from "./small-model.ts";

const folder = mkdtempSync(join(tmpdir(), "cli-datasets-"));
const at = (name: string) => join(folder, name);
let hub: HubServer;

const user = (content: string) => ({ role: "user", content });
const assistant = (content: string) => ({ role: "assistant", content });
const rows = Array.from({ length: 12 }, (_, i) => i);

const FILTERED = parquetBytes(
  [
    strings(
      "prompt",
      rows.map((i) => `What is ${i} plus one?`),
    ),
    strings(
      "chosen",
      rows.map((i) => `It is ${i + 1}.`),
    ),
    strings(
      "chosen_model",
      rows.map(() => "a"),
    ),
    strings(
      "rejected",
      rows.map((i) => `It is ${i}, is it not?`),
    ),
    strings(
      "rejected_model",
      rows.map(() => "b"),
    ),
    strings(
      "subset",
      rows.map((i) => (i % 2 ? "hep-python" : "math-prm")),
    ),
    int64s(
      "id",
      rows.map((i) => BigInt(i)),
    ),
  ],
  { codec: "SNAPPY", rowGroupSize: 5 },
);
const MULTI_OBJECTIVE = parquetBytes(
  [
    conversations(
      "messages",
      rows.map((i) => [user(`Say ${i}`), assistant(`${i} and more`)]),
    ),
    doubles(
      "helpsteer-helpfulness",
      rows.map((i) => (i < 6 ? (i + 0.5) / 10 : null)),
    ),
    doubles(
      "beavertails-is_safe",
      rows.map((i) => (i < 6 ? null : i % 2)),
    ),
  ],
  { codec: "GZIP", rowGroupSize: 4 },
);
const PAIRS = parquetBytes([
  conversations(
    "chosen",
    rows.map((i) => [user(`Say ${i}`), assistant(`${i}`)]),
  ),
  conversations(
    "rejected",
    rows.map((i) => [user(`Say ${i}`), assistant(i === 3 ? `${i}` : "no")]),
  ),
]);

const card = (splits: string[]) =>
  `---\nconfigs:\n- config_name: default\n  data_files:\n${splits.map((split) => `  - split: ${split}\n    path: data/${split}-*\n`).join("")}---\n`;

beforeAll(async () => {
  const write = (repository: string, files: Record<string, string | Buffer>) => {
    for (const [name, content] of Object.entries(files)) {
      mkdirSync(dirname(at(`${repository}/${name}`)), { recursive: true });
      writeFileSync(at(`${repository}/${name}`), content);
    }
    return at(repository);
  };
  await writeSmallModel(at("model"));
  hub = await startHub({
    "org/tiny": EMBEDDED_DIRECTORY,
    "datasets/allenai/reward-bench": write("reward-bench", {
      "README.md": card(["raw", "filtered"]),
      "data/raw-00000-of-00001.parquet": parquetBytes([strings("prompt", ["never asked for"])]),
      "data/filtered-00000-of-00001.parquet": FILTERED,
    }),
    "datasets/RLHFlow/ArmoRM-Multi-Objective-Data-v0.1": write("multi-objective", {
      "README.md": card(["train"]),
      "data/train-00000-of-00001.parquet": MULTI_OBJECTIVE,
    }),
    "datasets/RLHFlow/pair_data_v2_80K_wsafety": write("pairs", {
      "README.md": card(["train"]),
      "data/train-00000-of-00001.parquet": PAIRS,
    }),
  });
  for (const name of ["HF_TOKEN", "HF_HUB_CACHE", "HF_HUB_OFFLINE", "http_proxy", "HTTP_PROXY"]) {
    vi.stubEnv(name, undefined);
  }
  vi.stubEnv("HF_ENDPOINT", hub.endpoint);
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await hub.close();
  rmSync(folder, { recursive: true });
});

/** A cache of its own for the test. */
function useCache(name: string): void {
  vi.stubEnv("HF_HOME", at(`cache-${name}`));
  hub.log.length = 0;
}

const pinned = (id: string, part: string) => `${id}@${hub.commitOf(`datasets/${id}`)}:${part}`;

test("pull --dataset brings one split and says where it is", async () => {
  useCache("pull");
  const { code, stdout, stderr } = await runCli([
    "pull",
    "--dataset",
    "allenai/reward-bench:filtered",
    "--json",
  ]);
  expect(code).toBe(0);
  expect(stderr).toMatch(/^downloading 1 file, .* of allenai\/reward-bench@main \(commit /);
  expect(JSON.parse(stdout)).toMatchObject({
    split: "filtered",
    name: pinned("allenai/reward-bench", "default/filtered"),
    files: [{ name: "data/filtered-00000-of-00001.parquet", bytes: FILTERED.length }],
  });
  expect(hub.downloads().sort()).toEqual(["README.md", "data/filtered-00000-of-00001.parquet"]);
});

test("evaluate, describe and split read RewardBench from the hub as from its file", async () => {
  useCache("evaluate");
  const file = at("reward-bench/data/filtered-00000-of-00001.parquet");
  const evaluate = (data: string) =>
    runCli(["evaluate", "pairs", "--model", at("model"), "--data", data, "--json"]);
  const [there, here] = [await evaluate("allenai/reward-bench:filtered"), await evaluate(file)];
  expect(there.code).toBe(0);
  expect(JSON.parse(there.stdout)).toEqual(JSON.parse(here.stdout));
  expect(JSON.parse(there.stdout)).toMatchObject({
    n: 12,
    subsets: { "math-prm": { n: 6 }, "hep-python": { n: 6 } },
  });
  hub.log.length = 0;
  const described = await runCli(["data", "describe", "--data", "allenai/reward-bench:filtered"]);
  expect(described).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/: 12 rows of pairs, 12 prompts\nread as RewardBench pairs/),
  });
  // One look at the branch, and nothing is downloaded again.
  expect(hub.log.map(({ url }) => url.replace(/\?.*/, ""))).toEqual([
    "/api/datasets/allenai/reward-bench/revision/main",
  ]);
  const split = await runCli([
    "data",
    "split",
    "--data",
    "rb=allenai/reward-bench:filtered",
    "--fractions",
    "a=0.5,b=0.5",
    "--out",
    at("split"),
  ]);
  expect(split).toMatchObject({ code: 0, stderr: expect.stringMatching(/read as RewardBench pairs/) });
  const lines = ["a", "b"].flatMap((name) =>
    readFileSync(at(`split/${name}.jsonl`), "utf8")
      .trim()
      .split("\n"),
  );
  expect(lines.map((line) => JSON.parse(line).id).sort((a, b) => a - b)).toEqual(rows);
});

test("embed takes the published training sets by name, records the commit, and says how it read them", async () => {
  useCache("embed");
  const embed = (...args: string[]) => runCli(["embed", "--backbone", "tiny", ...args]);
  const ratings = await embed("--data", "RLHFlow/ArmoRM-Multi-Objective-Data-v0.1", "--out", at("ratings"));
  expect(ratings).toMatchObject({ code: 0, stderr: expect.stringMatching(/read as ArmoRM multi-objective/) });
  const manifest = JSON.parse(readFileSync(at("ratings/manifest.json"), "utf8"));
  expect(manifest).toMatchObject({ kind: "ratings", rowsIn: 12, rowsOut: 12 });
  expect(manifest.data[0].file).toBe(pinned("RLHFlow/ArmoRM-Multi-Objective-Data-v0.1", "default/train"));
  expect(manifest.objectives.map((o: { name: string; rows: number }) => [o.name, o.rows])).toEqual([
    ["helpsteer-helpfulness", 6],
    ["beavertails-is_safe", 6],
  ]);
  const pairs = await embed(
    "--data",
    "RLHFlow/pair_data_v2_80K_wsafety:train",
    "--out",
    at("pairs-embedded"),
    "--json",
  );
  expect(pairs.code).toBe(2);
  const { rejections, rowsOut } = JSON.parse(pairs.stdout);
  expect(rowsOut).toBe(11);
  expect(rejections).toMatchObject([
    {
      row: 3,
      reason: expect.stringMatching(
        /^train-00000-of-00001\.parquet: row 4: chosen and rejected: .* equal ones/,
      ),
    },
  ]);
  expect(pairs.stderr).not.toMatch(/read as/);
  hub.log.length = 0;
  vi.stubEnv("HF_HUB_OFFLINE", "1");
  const again = await embed(
    "--data",
    "RLHFlow/ArmoRM-Multi-Objective-Data-v0.1",
    "--out",
    at("ratings"),
    "--json",
  );
  vi.stubEnv("HF_HUB_OFFLINE", undefined);
  expect(JSON.parse(again.stdout).run).toBe(manifest.run);
  expect(hub.log).toEqual([]);
});

test("a declared scale stands in the manifest and becomes the model's", async () => {
  writeFileSync(
    at("rated.jsonl"),
    rows
      .map(
        (i) =>
          `${JSON.stringify({ prompt: `Say ${i}`, response: `${i} it is`, ratings: { good: i === 11 ? 9 : i % 4 } })}\n`,
      )
      .join(""),
  );
  const embed = await runCli([
    "embed",
    "--backbone",
    "tiny",
    "--data",
    at("rated.jsonl"),
    "--out",
    at("rated"),
    "--objectives",
    "g*",
    "--scale",
    "g*=0:4",
    "--json",
  ]);
  const { objectives, rejections } = JSON.parse(embed.stdout);
  expect(objectives).toEqual([
    { name: "good", source: "rated", rows: 11, minimum: 0, maximum: 3, scale: { multiply: 4, add: 0 } },
  ]);
  expect(rejections).toMatchObject([
    { row: 11, reason: expect.stringMatching(/rating "good": expected 0 to 4, got 9/) },
  ]);
  writeFileSync(
    at("pairs.jsonl"),
    rows.map((i) => `${JSON.stringify({ prompt: `Say ${i}`, chosen: `${i}`, rejected: "no" })}\n`).join(""),
  );
  await runCli(["embed", "--backbone", "tiny", "--data", at("pairs.jsonl"), "--out", at("paired")]);
  const train = await runCli([
    "train",
    "--ratings",
    at("rated"),
    "--pairs",
    at("paired"),
    "--out",
    at("trained"),
    "--steps",
    "3",
  ]);
  expect(train.code).toBe(0);
  const config = JSON.parse(readFileSync(at("trained/config.json"), "utf8"));
  expect(config.objectives[0]).toMatchObject({ name: "good", scale: { multiply: 4, add: 0 } });
});

test("names that lead nowhere end in one line before anything large is downloaded", async () => {
  useCache("errors");
  const embed = (data: string) =>
    runCli(["embed", "--backbone", "org/tiny", "--data", data, "--out", at("never")]);
  for (const [data, text] of [
    [
      "allenai/reward-bench",
      /expected a split, got one of 2 to choose\n {7}there are raw, filtered: write allenai\/reward-bench:raw/,
    ],
    ["allenai/reward-bench:test", /expected the split test, got none of that name/],
    ["allenai/none:test", /allenai\/none: expected a file or folder of that name or a data set at/],
    ["allenai/none.parquet", /allenai\/none\.parquet: no such file/],
  ] as const) {
    expect(await embed(data)).toMatchObject({ code: 2, stderr: expect.stringMatching(text) });
  }
  expect(hub.downloads()).toEqual(["README.md"]);
});

test("score reads conversations of a data set, and --format is checked", async () => {
  useCache("score");
  const scored = await runCli([
    "score",
    "--model",
    at("model"),
    "RLHFlow/ArmoRM-Multi-Objective-Data-v0.1:train",
    "--limit",
    "2",
    "--json",
  ]);
  expect(scored.code).toBe(0);
  expect(scored.stdout.trim().split("\n")).toHaveLength(2);
  const wrong = await runCli([
    "data",
    "binarize",
    "--data",
    at("rated.jsonl"),
    "--format",
    "transcripts",
    "--out",
    at("x.jsonl"),
  ]);
  expect(wrong).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/expected a format of ratings, got transcripts/),
  });
});
