import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  type CollectStatisticsOptions,
  collectTrainingStatistics,
} from "../../src/armo/collect-statistics.ts";
import { type TrainOptions, trainArmo } from "../../src/armo/train.ts";
import { mergeTrainingStatistics, openTrainingStatistics } from "../../src/armo/training-statistics.ts";
import { openEmbeddingSet } from "../../src/embedding/embedding-set.ts";
import { relativeError } from "./random-rows.ts";
import { cutShard, writeSet } from "./written-sets.ts";

const folder = mkdtempSync(join(tmpdir(), "armorm-statistics-"));
const at = (name: string) => join(folder, name);
const H = 6;
const gating = { steps: 4, batchSize: 16, hiddenDim: 4 };

beforeAll(async () => {
  // 11 parts of helpful, 3 of safe; they share the objective `kind`.
  const common = { kind: "ratings", hiddenSize: H } as const;
  const helpful = { ...common, rows: 2000, partRows: 190, source: "helpful", seed: 1 };
  await writeSet(at("helpful"), {
    ...helpful,
    objectives: ["kind", "true"],
    patterns: [[0, 1], [0], [0, 1]],
  });
  await writeSet(at("shorter"), { ...helpful, objectives: ["kind", "true"], maxTokens: 99 });
  await writeSet(at("safe"), {
    ...{ ...common, rows: 500, partRows: 200, source: "safe", seed: 2 },
    objectives: ["harmless", "kind"],
  });
  await writeSet(at("pairs"), {
    kind: "pairs",
    hiddenSize: H,
    rows: 200,
    partRows: 100,
    source: "p",
    seed: 3,
  });
  // Every prompt of it is one of `safe`.
  await writeSet(at("bench"), {
    kind: "pairs",
    hiddenSize: H,
    rows: 40,
    partRows: 100,
    source: "safe",
    seed: 4,
  });
});
afterAll(() => rmSync(folder, { recursive: true }));

const BOTH = ["helpful", "safe"];

async function collect(
  name: string,
  options: Partial<CollectStatisticsOptions> = {},
  sets = BOTH,
): Promise<string> {
  await collectTrainingStatistics({ ratings: sets.map(at), out: at(name), ...options });
  return at(name);
}

async function collectShards(name: string, count: number, options: Partial<CollectStatisticsOptions> = {}) {
  const paths: string[] = [];
  for (let index = 1; index <= count; index++) {
    // As on machines that have nothing but their own parts.
    const folders: string[] = [];
    for (const set of BOTH) {
      folders.push(at(`${name}-${set}-${index}`));
      await cutShard(at(set), folders.at(-1)!, index, count);
    }
    const shard = { index, count };
    paths.push(await collect(`${name}-${index}`, { ratings: folders, shard, ...options }));
  }
  return paths;
}

const openAll = (names: readonly string[]) => Promise.all(names.map((name) => openEmbeddingSet(at(name))));

async function train(options: Partial<TrainOptions>) {
  const { heads, report, settings, trainingKeys } = await trainArmo({
    pairs: await openAll(["pairs"]),
    gating,
    ...options,
  });
  return { heads, report, settings, trainingKeys };
}

const bySets = async (options: Partial<TrainOptions> = {}) =>
  train({ ratings: await openAll(BOTH), ...options });
const byStatistics = async (paths: readonly string[], options: Partial<TrainOptions> = {}) =>
  train({ statistics: await openTrainingStatistics(paths), ...options });

function expectClose(
  found: Awaited<ReturnType<typeof train>>,
  wanted: Awaited<ReturnType<typeof train>>,
): void {
  expect(found.settings).toEqual(wanted.settings);
  expect(found.trainingKeys).toEqual(wanted.trainingKeys);
  expect(found.report.rows).toEqual(wanted.report.rows);
  const runs = ({ report }: typeof found) => report.sets.ratings.map(({ run, rows }) => [run, rows]);
  expect(runs(found)).toEqual(runs(wanted));
  expect(found.report.dropped).toEqual(wanted.report.dropped);
  for (const [k, objective] of found.report.objectives.entries()) {
    const { name, alpha, trainRows, validationRows, ...numbers } = wanted.report.objectives[k]!;
    expect(objective).toMatchObject({ name, alpha, trainRows, validationRows });
    expect(
      relativeError([objective.validationError, objective.r2], [numbers.validationError, numbers.r2]),
    ).toBeLessThan(1e-10);
    expect(
      relativeError(
        objective.path.map(([, error]) => error),
        numbers.path.map(([, error]) => error),
      ),
    ).toBeLessThan(1e-10);
  }
  // Weights are rounded to f32.
  expect(relativeError(found.heads.regression, wanted.heads.regression)).toBeLessThan(1e-6);
  for (const [k, { name, scale }] of found.heads.objectives.entries()) {
    const other = wanted.heads.objectives[k]!;
    expect(name).toBe(other.name);
    expect(
      relativeError([scale!.multiply, scale!.add], [other.scale!.multiply, other.scale!.add]),
    ).toBeLessThan(1e-11);
  }
}

describe("statistics in the place of ratings", () => {
  test("of shards give the model of one file to the last bit, in any order and number, and its bytes when merged", async () => {
    const whole = await collect("whole");
    const wanted = await byStatistics([whole]);
    for (const count of [1, 3, 8]) {
      const shards = await collectShards(`of-${count}`, count);
      const { report, ...found } = await byStatistics([...shards].reverse());
      expect(found).toEqual({
        heads: wanted.heads,
        settings: wanted.settings,
        trainingKeys: wanted.trainingKeys,
      });
      expect(report.objectives).toEqual(wanted.report.objectives);
      const merged = await mergeTrainingStatistics([...shards.slice(1), shards[0]!], at(`merged-${count}`));
      expect(merged.sets.map(({ rows }) => rows)).toEqual([
        { all: 1778, used: 1778, test: 0, dropped: 0 },
        { all: 445, used: 445, test: 0, dropped: 0 },
      ]);
      const again = await byStatistics(merged.paths);
      expect(again.heads).toEqual(wanted.heads);
    }
    // From one folder, merged files are those of one process to the last byte.
    const three = [];
    for (const index of [2, 3, 1]) three.push(await collect(`cut-${index}`, { shard: { index, count: 3 } }));
    await mergeTrainingStatistics(three, at("merged"));
    expect(readFileSync(at("merged")).equals(readFileSync(whole))).toBe(true);
  });

  test("give what training on all ratings gives, up to rounding", async () => {
    const shards = await collectShards("close", 3);
    expectClose(await byStatistics(shards), await bySets());
    const options = {
      objectives: ["length", "kind", "harmless"],
      debias: ["kind"],
      regression: { alphas: { kind: [0.1, 10] }, intercept: true, refit: true },
    };
    expectClose(await byStatistics(shards, options), await bySets(options));
  });

  test("keep folds, the test share, weights of sources and what was left out, and training takes them from there", async () => {
    const bench = await openAll(["bench"]);
    const sourceWeights = { safe: 2.5 };
    const shards = await collectShards("divided", 3, {
      ...{ seed: 5, folds: 3, testFraction: 0.15, validationFraction: 0.3, sourceWeights },
      dropOverlapsWith: bench,
    });
    const found = await byStatistics(shards, { evaluation: bench });
    const wanted = await bySets({
      ...{ seed: 5, testFraction: 0.15, validationFraction: 0.3, dropOverlaps: true, evaluation: bench },
      regression: { folds: 3, sourceWeights },
    });
    expect(wanted.report.rows.ratings.dropped).toBeGreaterThan(20);
    expect(wanted.report.rows.ratings.test).toBeGreaterThan(100);
    expectClose(found, wanted);
  });

  test("count overlaps with evaluation sets that are named later", async () => {
    const whole = await collect("counted");
    const evaluation = await openAll(["bench"]);
    const { report } = await byStatistics([whole], { evaluation });
    expect(report.rows).toEqual((await bySets({ evaluation })).report.rows);
    expect(report.rows.ratings.remaining).toBeGreaterThan(20);
  });
});

const refuses = (paths: readonly string[], code: string, message: string) =>
  expect(openTrainingStatistics(paths)).rejects.toMatchObject({
    code,
    message: expect.stringContaining(message),
  });

describe("statistics are refused", () => {
  test("where parts are missing or there twice, by their numbers", async () => {
    const shards = await collectShards("gaps", 4);
    await refuses([shards[0]!, shards[1]!, shards[3]!], "missing-statistics", "expected all 11 parts of");
    await refuses([shards[0]!, shards[1]!, shards[3]!], "missing-statistics", "got none of parts 6 to 8");
    await refuses(shards.slice(0, 3), "missing-statistics", "got none of parts 9 to 11");
    await refuses([...shards, shards[2]!], "doubled-statistics", "got part 6");
    const others = await collectShards("others", 3);
    await refuses([shards[0]!, ...others], "doubled-statistics", `which ${shards[0]} has too`);
  });

  test("where they were collected with other options, by what differs", async () => {
    const shard = (index: number) => ({ shard: { index, count: 2 } });
    const first = await collect("first", shard(1));
    const differing: [Partial<CollectStatisticsOptions>, string][] = [
      [{ seed: 3 }, "seed: 0 there, 3 here"],
      [{ folds: 4 }, "folds: none there, 4 here"],
      [
        { validationFraction: 0.1, testFraction: 0.2 },
        "validation fraction: 0.2 there, 0.1 here; test fraction: 0 there, 0.2 here",
      ],
      [{ sourceWeights: { safe: 2 } }, "source weights: none there, {safe:2} here"],
      [{ dropOverlapsWith: await openAll(["bench"]) }, "evaluation sets left out: none there"],
    ];
    for (const [options, message] of differing) {
      const second = await collect("second", { ...shard(2), ...options });
      await refuses([first, second], "different-statistics", message);
    }
    const other = await collect("shorter-2", shard(2), ["shorter"]);
    await refuses([first, other], "different-statistics", "max tokens: 512 there, 99 here");
  });

  test("where training asks for what they were not collected with", async () => {
    const statistics = await openTrainingStatistics([await collect("asked")]);
    const pairs = await openAll(["pairs"]);
    const asked: [Partial<TrainOptions>, string][] = [
      [{ seed: 1 }, "seed: 0 there, 1 here"],
      [{ testFraction: 0.1 }, "test fraction: 0 there, 0.1 here"],
      [{ regression: { folds: 3 } }, "folds: none there, 3 here"],
      [{ regression: { memory: 1e9 } }, "expected no limit of memory"],
      [{ regression: { sourceWeights: { safe: 2 } } }, "source weights: none there"],
      [
        { dropOverlaps: true, evaluation: await openAll(["bench"]) },
        "expected no row that shares a prompt with an evaluation set, got 36",
      ],
      [{ ratings: await openAll(["safe"]) }, "expected sets of ratings or statistics of them, got both"],
    ];
    for (const [options, message] of asked) {
      await expect(trainArmo({ statistics, pairs, gating, ...options })).rejects.toThrow(message);
    }
    const dropped = await openTrainingStatistics([
      await collect("left", { dropOverlapsWith: await openAll(["bench"]) }),
    ]);
    await expect(trainArmo({ statistics: dropped, pairs, gating })).rejects.toMatchObject({
      code: "different-statistics",
      remedy: expect.stringContaining("--evaluation"),
    });
  });

  test("where there is nothing to add up", async () => {
    await cutShard(at("helpful"), at("lonely"), 2, 3);
    const refused = (options: Partial<CollectStatisticsOptions>) => expect(collect("none", options)).rejects;
    await refused({ ratings: [at("lonely")] }).toMatchObject({ code: "incomplete-embeddings" });
    await refused({ ratings: [at("lonely")], shard: { index: 3, count: 3 } }).toMatchObject({
      code: "incomplete-embeddings",
      message: expect.stringContaining(
        "expected all parts of shard 3/3, got no ratings-00008-of-00011.safetensors",
      ),
    });
    await refused({ ratings: [at("nowhere")] }).toMatchObject({ code: "not-an-embedding-set" });
    await refused({ ratings: [at("pairs")] }).toMatchObject({ code: "wrong-embedding-kind" });
    await refused({ ratings: [at("safe"), at("safe")] }).toMatchObject({ code: "doubled-statistics" });
    await refused({ sourceWeights: { nobody: 2 } }).toMatchObject({ code: "unknown-source" });
    await refused({ validationFraction: 0 }).toMatchObject({ code: "bad-option" });
  });
});
