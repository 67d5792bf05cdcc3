import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { armoScorer } from "../../src/armo/armo-scorer.ts";
import { openRewardModel } from "../../src/opening/open-reward-model.ts";
import { createRandom } from "../../src/random.ts";
import type { Score, Steering } from "../../src/reward-model.ts";
import { compareScores, rankingChange } from "../../src/scoring/ranking.ts";
import { toScore } from "../../src/scoring/score-parts.ts";
import { type Scorer, steerScorer } from "../../src/scoring/scorer.ts";
import { describeSteering, resolveSteering, steerScore } from "../../src/scoring/steering.ts";
import { randomHeads } from "../armo/random-heads.ts";

// The child of an isolated model runs the sources too, with the loader that this process hands on.
process.execArgv.push("--import", "tsx");

const H = 16;
const scorer = armoScorer(randomHeads(H, { K: 5 }));
const { objectives, transform } = scorer;
const [a, b, c] = objectives.map(({ name }) => name) as [string, string, string];
const random = createRandom(7);
const embedding = () => Float32Array.from({ length: H }, () => random.normal());
const prompts = Array.from({ length: 40 }, () => ({
  prompt: embedding(),
  responses: [embedding(), embedding()],
}));

function scoresOf(of: Scorer): Score[][] {
  return prompts.map(({ prompt, responses }) => {
    const scoreResponse = of.forPrompt(prompt);
    return responses.map((response, index) =>
      toScore(scoreResponse(response), objectives, { index, tokens: 3, dtype: "f32", model: "m" }),
    );
  });
}
const plain = scoresOf(scorer);
const steered = (steering: Steering) => scoresOf(steerScorer(scorer, steering, "m"));
const withoutUnsteered = ({ unsteered: _, ...score }: Score) => score;

const MIXTURES: Steering[] = [
  {},
  { scale: { [a]: 3 } },
  { scale: { [a]: -0.25, [b]: 7 }, without: [c] },
  { weights: { [a]: 0.7, [c]: -0.3 } },
  { weights: { [a]: 0.7, [b]: 1, [c]: 0.1 }, scale: { [b]: 0.5 }, without: [c] },
];

test.each(MIXTURES)("a finished score is steered to the bits that the model gives itself: %o", (steering) => {
  const expected = steered(steering);
  const actual = plain.map((scores) => scores.map((score) => steerScore(score, steering, scorer)));
  expect(actual).toEqual(expected);
});

test.each(MIXTURES)("contributions of a steered score sum to it, and it says what it was: %o", (steering) => {
  for (const [n, scores] of steered(steering).entries()) {
    for (const [i, score] of scores.entries()) {
      expect(Object.values(score.contributions).reduce((sum, value) => sum + value, 0)).toBe(score.score);
      for (const [name, value] of Object.entries(score.contributions)) {
        expect(value).toBe(score.coefficients[name]! * score.rewards[name]!);
      }
      const { score: before, contributions, rewards, adjustedRewards } = plain[n]![i]!;
      expect(score.unsteered).toEqual({ score: before, contributions });
      expect(score).toMatchObject({ rewards, adjustedRewards });
    }
  }
});

test("nothing named and factors of 1 leave every bit as it is", () => {
  const ones = Object.fromEntries(objectives.map(({ name }) => [name, 1]));
  for (const steering of [{}, { scale: {} }, { without: [] }, { scale: ones }]) {
    expect(steered(steering).map((scores) => scores.map(withoutUnsteered))).toEqual(plain);
  }
});

test("the gate's own output as weights gives the gate's own score", () => {
  for (const score of plain.flat()) {
    const same = steerScore(score, { weights: score.gatingOutput }, scorer);
    expect(withoutUnsteered(same)).toEqual(score);
  }
});

test("leaving an objective out is scaling it by 0, and weighing it 0", () => {
  expect(steered({ without: [b] })).toEqual(steered({ scale: { [b]: 0 } }));
  const weights = { [a]: 0.5, [b]: 0.25, [c]: 2 };
  expect(steered({ weights, without: [b] })).toEqual(steered({ weights: { [a]: 0.5, [b]: 0, [c]: 2 } }));
});

test("the steered score is Σ g′ · adjusted rewards: what debiasing takes out of an objective goes with its weight", () => {
  const T = transform!;
  const K = objectives.length;
  for (const score of plain.flat()) {
    const scaled = steerScore(score, { scale: { [a]: 4 } }, scorer);
    const moved = 3 * score.gatingOutput[a]! * score.adjustedRewards[a]!;
    expect(scaled.score - score.score).toBeCloseTo(moved, 12);
    const others = objectives.slice(1).map(({ name }, j) => {
      const change = scaled.contributions[name]! - score.contributions[name]!;
      expect(change).toBeCloseTo(3 * score.gatingOutput[a]! * T[(j + 1) * K]! * score.rewards[name]!, 12);
      return change;
    });
    expect(others.some((change) => Math.abs(change) > 1e-6)).toBe(true);
  }
});

test("of help and verbosity, as the documentation has them, the penalty goes with help's weight and no other", () => {
  const both = [{ name: "help" }, { name: "verbosity" }];
  const model = { objectives: both, transform: [1, 0, -0.5, 0] };
  const parts = {
    score: 0.6 - 0.3,
    rewards: Float64Array.of(1, 1),
    adjustedRewards: Float64Array.of(0.5, 0),
    gatingOutput: Float64Array.of(0.6, 0.4),
    coefficients: Float64Array.of(0.6, -0.3),
    contributions: Float64Array.of(0.6, -0.3),
  };
  const score = toScore(parts, both, { index: 0, tokens: 2, dtype: "f32", model: "m" });
  const coefficients = (steering: Steering) => steerScore(score, steering, model).coefficients;
  expect(coefficients({})).toEqual({ help: 0.6, verbosity: -0.3 });
  expect(coefficients({ scale: { help: 2 } })).toEqual({ help: 1.2, verbosity: -0.6 });
  expect(coefficients({ without: ["verbosity"] })).toEqual({ help: 0.6, verbosity: -0.3 });
  expect(steerScore(score, { without: ["help"] }, model).score).toBeCloseTo(0, 15);
});

test("a model that adjusts nothing weighs its rewards as they are", () => {
  for (const score of plain.flat()) {
    const bare = steerScore(score, { weights: { [a]: 2, [b]: 1 } }, { objectives, transform: null });
    expect(bare.score).toBeCloseTo(2 * score.rewards[a]! + score.rewards[b]!, 12);
    expect(bare.coefficients).toEqual(bare.gatingOutput);
  }
});

test("a trace is steered with its score: every step as a conversation that ends there", () => {
  for (const [first, second] of plain as [Score, Score][]) {
    const at = ({ score, rewards }: Score) => ({ score, rewards });
    const traced: Score = {
      ...second,
      trace: { unit: "token", start: at(first), steps: [{ text: "x", ...at(second) }] },
    };
    const steering = { scale: { [a]: 3 }, without: [b] };
    const { trace, score } = steerScore(traced, steering, scorer);
    expect(trace!.start.score).toBe(steerScore(first, steering, scorer).score);
    expect(trace!.steps).toEqual([{ text: "x", score, rewards: second.rewards }]);
  }
});

test("a steered score is not steered again: the gate's output is gone", () => {
  const once = steerScore(plain[0]![0]!, { scale: { [a]: 2 } }, scorer);
  expect(() => steerScore(once, { scale: { [a]: 2 } }, scorer)).toThrow(
    new TypeError("steerScore: expected an unsteered score, got a steered one"),
  );
});

test("a turned ranking says who took which place, and splits what moved them exactly", () => {
  let turned = 0;
  for (const [n, responses] of steered({ scale: { [a]: -4 } }).entries()) {
    const comparison = compareScores(responses, null);
    expect(comparison.unsteered!.ranking).toEqual(compareScores(plain[n]!, null).ranking);
    const change = rankingChange(responses);
    if (comparison.ranking[0] === comparison.unsteered!.ranking[0]) {
      expect(change).toBeNull();
      continue;
    }
    turned++;
    const { place, now, before, moved, contributions } = change!;
    expect([place, now, before]).toEqual([0, comparison.ranking[0], comparison.ranking[1]]);
    expect(moved).toBeGreaterThan(0);
    expect(Object.values(contributions).reduce((sum, value) => sum + value, 0)).toBeCloseTo(moved, 12);
    const margin = (scores: readonly Score[]) => scores[now]!.score - scores[before]!.score;
    expect(moved).toBeCloseTo(margin(responses) - margin(plain[n]!), 12);
  }
  expect(turned).toBeGreaterThan(0);
  expect(turned).toBeLessThan(prompts.length);
  expect(compareScores(plain[0]!, null).unsteered).toBeUndefined();
  expect(rankingChange(plain[0]!)).toBeNull();
});

describe("refused is", () => {
  const small = [{ name: "safety" }, { name: "help-fulness" }];
  const refuse = (steering: unknown, of = small) => {
    try {
      resolveSteering(steering as Steering, of, "model");
    } catch (error) {
      const { code, message, remedy } = error as { code: string; message: string; remedy: string };
      return { code, message, remedy };
    }
    return null;
  };

  test("a name that is no objective, with the nearest one or all of them", () => {
    expect(refuse({ scale: { saftey: 2 } })).toEqual({
      code: "unknown-objective",
      message: 'steering of model: expected an objective of the model, got "saftey"',
      remedy: "did you mean safety? its objectives are safety, help-fulness",
    });
    expect(refuse({ without: ["speed of light"] })!.remedy).toBe("its objectives are safety, help-fulness");
    expect(refuse({ weights: { constructor: 1 } })!.code).toBe("unknown-objective");
  });

  test.each([
    [{ scale: { safety: Number.NaN } }, "expected a finite number for safety in scale"],
    [{ weights: { safety: Number.POSITIVE_INFINITY } }, "expected a finite number for safety in weights"],
    [{ weights: { safety: "1" } }, "expected a finite number for safety in weights"],
    [{ weights: {} }, "expected weights by objective, got none"],
    [{ weights: { safety: 1 }, without: ["safety"] }, "expected an objective that weighs something"],
    [{ without: ["safety", "help-fulness"] }, "expected an objective that weighs something"],
    [{ weigths: { safety: 1 } }, "expected weights, scale, without, got weigths"],
    [{ without: "safety" }, "expected names in without"],
    [{ scale: [1] }, "expected scale by objective"],
    [[], "expected an object"],
    [null, "expected an object"],
  ])("%o", (steering, message) => {
    expect(refuse(steering)).toMatchObject({
      code: "bad-steering",
      message: expect.stringContaining(message),
    });
  });

  test("anything but nothing for a model of one objective", () => {
    expect(refuse({ scale: { reward: 2 } }, [{ name: "reward" }])!.code).toBe("one-objective");
    expect(refuse({}, [{ name: "reward" }])).toBeNull();
  });
});

test("steering in words names its parts in the order in which they apply", () => {
  const all = { without: ["c"], scale: { b: 3 }, weights: { a: 1, b: 0.5 } };
  expect(describeSteering(all)).toBe("weights a=1, b=0.5; scale b=3; without c");
  expect(describeSteering({})).toBe("");
});

test("the golden checkpoint steered gives Σ weights · its golden adjusted rewards, in a process of its own too", async () => {
  const directory = join(import.meta.dirname, "../golden/armorm/armorm-f32");
  const { cases, attributes, gating_token_pattern, suggested_tolerance } = JSON.parse(
    readFileSync(join(directory, "expected.json"), "utf8"),
  );
  const { atol, rtol } = suggested_tolerance;
  const names: string[] = attributes;
  const options = { gatingTokenPattern: gating_token_pattern, threads: 1 };
  await using model = await openRewardModel(directory, options);
  await using isolated = await openRewardModel(directory, { ...options, isolate: true });
  const ids: number[][] = cases.map(({ input_ids }: { input_ids: number[] }) => input_ids);
  const [first, second] = names as [string, string];
  const steering = { scale: { [first]: 3 }, without: [second] };
  const unsteered = await model.scoreTokens(ids);
  const scores = await model.scoreTokens(ids, { steering });
  expect(scores).toEqual(unsteered.map((score) => steerScore(score, steering, model)));
  expect(await isolated.scoreTokens(ids, { steering })).toEqual(scores);
  const check = (actual: number, expected: number) =>
    expect(Math.abs(actual - expected)).toBeLessThanOrEqual(atol + rtol * Math.abs(expected));
  for (const [i, { score }] of scores.entries()) {
    const { gating_output: gate, rewards_adjusted: adjusted } = cases[i];
    const factor = (k: number) => (k === 0 ? 3 : k === 1 ? 0 : 1);
    check(
      score,
      adjusted.reduce((sum: number, reward: number, k: number) => sum + factor(k) * gate[k] * reward, 0),
    );
  }
  const fixed = await model.scoreTokens(ids, { steering: { weights: { [first]: 0.5, [second]: 2 } } });
  for (const [i, { score }] of fixed.entries()) {
    const [x, y] = cases[i].rewards_adjusted;
    check(score, 0.5 * x + 2 * y);
  }
  await expect(
    isolated.scoreTokens(ids, { steering: { scale: { [`${first}x`]: 1 } } }),
  ).rejects.toMatchObject({
    code: "unknown-objective",
    remedy: expect.stringContaining(`did you mean ${first}?`),
  });
});

describe("a mixture whose numbers overflow is refused as the steering that it is", () => {
  const overflow = {
    code: "bad-steering",
    message: "steering of m: expected scores of at most 1e+300, got larger ones",
  };
  test.each<[Steering]>([
    [{ weights: { [a]: 1e308, [b]: 1 }, scale: { [a]: 1e308 } }],
    [{ scale: { [a]: 1.7e308 } }],
    [{ weights: { [a]: 1e305, [b]: -1e305 } }],
  ])("%o", (steering) => {
    expect(() => steered(steering)).toThrow(expect.objectContaining(overflow));
    const each = () => plain.flat().map((score) => steerScore(score, steering, scorer));
    expect(each).toThrow(expect.objectContaining(overflow));
  });

  test("and margins of what is taken are finite", () => {
    for (const scores of steered({ scale: { [a]: 1e290 } })) {
      for (const { margin } of compareScores(scores, null).pairs) expect(margin).toSatisfy(Number.isFinite);
    }
  });
});
