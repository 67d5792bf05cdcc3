import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import {
  headsFromTensors,
  headsToTensors,
  isHeadTensor,
  PUBLISHED_OBJECTIVES,
} from "../../src/armo/heads.ts";
import { runGate, scoreEmbedding } from "../../src/armo/score.ts";
import { openCheckpoint } from "../../src/checkpoint/checkpoint.ts";
import type { Tensor } from "../../src/checkpoint/dtypes.ts";
import { readTensor } from "../../src/checkpoint/safetensors.ts";
import { compareScores, rankScores } from "../../src/scoring/ranking.ts";
import { toScore } from "../../src/scoring/score-parts.ts";

const golden = new URL("../golden/armorm/", import.meta.url).pathname;
const about = { index: 0, tokens: 1, dtype: "f32", model: "golden" };

async function headTensors(name: string): Promise<Map<string, Tensor>> {
  const { tensors } = await openCheckpoint(join(golden, name));
  const heads = new Map<string, Tensor>();
  for (const range of tensors.values())
    if (isHeadTensor(range.name)) heads.set(range.name, await readTensor(range));
  return heads;
}

async function openHeads(name: string) {
  const { config } = await openCheckpoint(join(golden, name));
  const temperature = Number(config.gating_temperature);
  const hiddenSize = Number(config.hidden_size);
  const objectives = PUBLISHED_OBJECTIVES.slice(0, Number(config.num_objectives));
  return headsFromTensors(await headTensors(name), { objectives, hiddenSize, temperature }, name);
}

describe.each(["armorm-f32", "armorm-bf16-sharded"])("the heads of golden %s", async (name) => {
  const expected = JSON.parse(readFileSync(join(golden, name, "expected.json"), "utf8"));
  const heads = await openHeads(name);
  const { atol, rtol } = expected.suggested_tolerance;
  const close = (actual: ArrayLike<number>, wanted: readonly number[]) => {
    expect(actual.length).toBe(wanted.length);
    for (let i = 0; i < wanted.length; i++) {
      expect(Math.abs(actual[i]! - wanted[i]!)).toBeLessThanOrEqual(atol + rtol * Math.abs(wanted[i]!));
    }
  };

  test.each(expected.cases as Record<string, never>[])("give every intermediate value: $title", (c) => {
    const gatingOutput = runGate(heads.gate, Float32Array.from(c.prompt_embedding!));
    const parts = scoreEmbedding(heads, Float32Array.from(c.hidden_state!), gatingOutput);
    close(gatingOutput, c.gating_output!);
    close(parts.rewards, c.rewards!);
    close(parts.adjustedRewards, c.rewards_adjusted!);
    close(parts.coefficients, c.coefficients!);
    close([parts.score], [c.score!]);
  });

  test("have objectives in the published order", () => {
    expect(heads.objectives.map((objective) => objective.name)).toEqual(expected.attributes);
  });

  test("survive a round trip through tensors", async () => {
    const again = headsFromTensors(
      headsToTensors({ ...heads, marginScale: 7.5 }),
      { objectives: heads.objectives, hiddenSize: heads.hiddenSize, temperature: heads.gate.temperature },
      "round trip",
    );
    expect(again).toEqual({ ...heads, marginScale: 7.5 });
  });
});

test("contributions sum to the score, shares to one, and a pair's contributions to its margin", async () => {
  const heads = await openHeads("armorm-f32");
  const { cases } = JSON.parse(readFileSync(join(golden, "armorm-f32/expected.json"), "utf8"));
  const gatingOutput = runGate(heads.gate, Float32Array.from(cases[0].prompt_embedding));
  const scores = [0, 1, 2, 3].map((i) =>
    toScore(scoreEmbedding(heads, Float32Array.from(cases[i].hidden_state), gatingOutput), heads.objectives, {
      ...about,
      index: i,
    }),
  );
  const sum = (values: Readonly<Record<string, number>>) => Object.values(values).reduce((a, b) => a + b, 0);
  for (const score of scores) {
    expect(sum(score.contributions)).toBe(score.score);
    expect(sum(score.shares)).toBeCloseTo(1, 12);
    for (const { name } of heads.objectives) {
      expect(score.contributions[name]).toBe(score.coefficients[name]! * score.rewards[name]!);
    }
  }
  const comparison = compareScores(scores, 10);
  expect(comparison.ranking.map((i) => scores[i]!.score)).toEqual(
    scores.map((s) => s.score).sort((a, b) => b - a),
  );
  expect(comparison.pairs).toHaveLength(4);
  for (const pair of comparison.pairs) {
    expect(pair.margin).toBe(scores[pair.better]!.score - scores[pair.worse]!.score);
    expect(pair.margin).toBeGreaterThan(0);
    expect(sum(pair.contributions)).toBeCloseTo(pair.margin, 12);
    expect(pair.probability).toBeCloseTo(1 / (1 + Math.exp(-10 * pair.margin)), 14);
  }
  expect(compareScores(scores, null).pairs[0]!.probability).toBeNull();
});

test("heads that do not fit together are refused by name", async () => {
  const tensors = await headTensors("armorm-f32");
  const open = (
    changes: Partial<{ hiddenSize: number; temperature: number; count: number }>,
    map = tensors,
  ) =>
    headsFromTensors(
      map,
      {
        objectives: PUBLISHED_OBJECTIVES.slice(0, changes.count ?? 19),
        hiddenSize: changes.hiddenSize ?? 48,
        temperature: changes.temperature ?? 10,
      },
      "model",
    );
  expect(() => open({ count: 18 })).toThrow("model: expected a gate with 18 outputs, got 19");
  expect(() => open({ hiddenSize: 64 })).toThrow("expected gating.layers.0.weight [40, 64], got [40, 48]");
  expect(() => open({ temperature: 0 })).toThrow("a gating temperature above 0");
  const twice = [...PUBLISHED_OBJECTIVES.slice(0, 18), PUBLISHED_OBJECTIVES[0]!];
  const about = { objectives: twice, hiddenSize: 48, temperature: 10 };
  expect(() => headsFromTensors(tensors, about, "model")).toThrow(
    "each objective name once, got helpsteer-helpfulness twice",
  );
  const without = new Map([...tensors].filter(([name]) => name !== "reward_transform_matrix"));
  expect(() => open({}, without)).toThrow("expected a tensor reward_transform_matrix [19, 19], got none");
  const regression = tensors.get("regression_layer.weight")!;
  const broken = {
    ...regression,
    data: (regression.data as Float32Array).map((v, i) => (i === 5 ? Number.NaN : v)),
  };
  expect(() => open({}, new Map(tensors).set("regression_layer.weight", broken))).toThrow(
    "got NaN or infinity",
  );
});

test("ratings are rewards on the scale that people used, for objectives that have one", async () => {
  const heads = await openHeads("armorm-f32");
  const { cases } = JSON.parse(readFileSync(join(golden, "armorm-f32/expected.json"), "utf8"));
  const gatingOutput = runGate(heads.gate, Float32Array.from(cases[0].prompt_embedding));
  const parts = scoreEmbedding(heads, Float32Array.from(cases[0].hidden_state), gatingOutput);
  const { rewards, ratings } = toScore(parts, heads.objectives, about);
  const scaled = heads.objectives.filter(({ scale }) => scale);
  expect(scaled.length).toBeGreaterThan(0);
  // The published card: rating = reward · 5 − 0.5 for HelpSteer's attributes.
  expect(ratings).toEqual(Object.fromEntries(scaled.map(({ name }) => [name, rewards[name]! * 5 - 0.5])));
});

test("ranking keeps the order of equal scores", () => {
  expect(rankScores([1, 3, 2, 3])).toEqual([1, 3, 2, 0]);
  expect(rankScores([5])).toEqual([0]);
});
