import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { createRandom } from "../../src/random.ts";
import type { ByObjective, ComparedPair, Objective } from "../../src/reward-model.ts";
import { explainComparison, explainGate, explainScore } from "../../src/scoring/explanation.ts";
import { compareScores } from "../../src/scoring/ranking.ts";
import { toScore } from "../../src/scoring/score-parts.ts";

const pair = (contributions: ByObjective, probability: number | null = null): ComparedPair => {
  const margin = Object.values(contributions).reduce((sum, value) => sum + value, 0);
  return { better: 0, worse: 1, margin, probability, contributions };
};
const score = (contributions: ByObjective, ratings: ByObjective = {}) => ({
  score: Object.values(contributions).reduce((sum, value) => sum + value, 0),
  contributions,
  ratings,
});
const number = (text: string): number => Number(text.replace("−", "-"));

/** The text of the sum, `(rounded)` apart: what is said to be the total, and its parts by name. */
function readComparison(words: string) {
  const [, total, list] = /wins by ([−\d.]+)(?: \(probability [^)]*\))?: (.*)$/.exec(words)!;
  const parts = list!.replace(" (rounded)", "").split(", ");
  const entries = parts.map((part) => [
    part.slice(0, part.lastIndexOf(" ")),
    part.slice(part.lastIndexOf(" ") + 1),
  ]);
  return { total: total!, parts: entries as [string, string][], rounded: words.endsWith("(rounded)") };
}

describe("the words of a comparison", () => {
  test("name the largest contributions first and sum the rest", () => {
    const contributions = { verbosity: -0.02, safety: 0.18, style: 0.004, honesty: 0.005, truth: 0.05 };
    expect(explainComparison(pair(contributions, 0.63))).toBe(
      "A wins by 0.22 (probability 63 %): safety +0.18, truth +0.05, verbosity −0.02, others +0.01",
    );
    expect(explainComparison(pair({ safety: 0.18, truth: 0.05, verbosity: -0.02 }))).toBe(
      "A wins by 0.21: safety +0.18, truth +0.05, verbosity −0.02",
    );
  });

  test("say so where rounding keeps the printed numbers from adding up", () => {
    const third = 0.1 / 3;
    const words = explainComparison(pair({ a: third, b: third, c: third }));
    expect(words).toBe("A wins by 0.10: a +0.03, b +0.03, c +0.03 (rounded)");
  });

  test("have nothing to split for one objective, or where responses agree", () => {
    expect(explainComparison(pair({ reward: 1.5 }, 0.8176))).toBe("A wins by 1.50 (probability 82 %)");
    expect(explainComparison(pair({ a: 0, b: -0 }))).toBe("A and B tie: they agree in every objective");
    expect(explainComparison(pair({ reward: 0 }))).toBe("A and B tie");
  });

  test("show what cancels out in a tie, and margins too small to print", () => {
    expect(explainComparison(pair({ a: 0.5, b: -0.5 }, 0.5))).toBe("A and B tie: a +0.50, b −0.50");
    expect(explainComparison({ ...pair({ a: 0.5, b: -0.5 }), margin: 1e-9 })).toBe(
      "A wins by less than 0.000001: a +0.500000, b −0.500000",
    );
    expect(explainComparison(pair({ a: 0.0003, b: -0.0001 }))).toBe(
      "A wins by 0.00020: a +0.00030, b −0.00010",
    );
  });

  test("call responses by other names", () => {
    const words = explainComparison({ ...pair({ a: 1, b: 1 }), better: 27, worse: 3 });
    expect(words).toMatch(/^#28 wins by 2.00: /);
    expect(explainComparison(pair({ a: 1, b: 1 }), (index) => `answer ${index}`)).toMatch(/^answer 0 wins/);
  });

  test("never say that something is certain, nor not a number", () => {
    expect(explainComparison(pair({ reward: 9 }, 0.99999))).toBe("A wins by 9.00 (probability > 99.9 %)");
    expect(() => explainComparison(pair({ a: Number.NaN, b: 1 }))).toThrow(
      new RangeError("explainComparison: numbers must be finite, got NaN for margin"),
    );
  });

  test("print the comparison's own numbers, which sum to the printed margin unless they say otherwise", () => {
    const random = createRandom(3);
    let exact = 0;
    for (let trial = 0; trial < 500; trial++) {
      const K = 2 + (trial % 18);
      const size = 10 ** -(trial % 5);
      const names = Array.from({ length: K }, (_, k) => `objective ${k}`);
      const of = () =>
        toScore(
          partsOf(Float64Array.from({ length: K }, () => random.normal() * size)),
          names.map((name) => ({ name })),
          ABOUT,
        );
      const [compared] = compareScores([of(), of()], 1).pairs;
      const sum = Object.values(compared!.contributions).reduce((total, value) => total + value, 0);
      expect(sum).toBeCloseTo(compared!.margin, 12);
      const { total, parts, rounded } = readComparison(explainComparison(compared!));
      const digits = total.split(".")[1]!.length;
      const units = (text: string) => Math.round(number(text) * 10 ** digits);
      expect(number(total)).toBe(Number(compared!.margin.toFixed(digits)));
      const named = parts.filter(([name]) => name !== "others");
      for (const [name, value] of named) {
        expect(number(value)).toBe(Number(compared!.contributions[name]!.toFixed(digits)));
      }
      const rest = Object.entries(compared!.contributions).filter(
        ([name]) => !named.some(([n]) => n === name),
      );
      const others = rest.reduce((total, [, value]) => total + value, 0);
      const printedOthers = parts.find(([name]) => name === "others")?.[1] ?? "0";
      expect(Math.abs(number(printedOthers) - others)).toBeLessThanOrEqual(0.5000001 * 10 ** -digits);
      for (const [, value] of rest)
        expect(Math.abs(value)).toBeLessThanOrEqual(Math.abs(number(named.at(-1)![1])) + 10 ** -digits);
      const adds = parts.reduce((total, [, value]) => total + units(value), 0) === units(total);
      expect(rounded).toBe(!adds);
      if (adds) exact++;
    }
    expect(exact).toBeGreaterThan(250);
  });
});

describe("the words of a score", () => {
  test("give shares, contributions, and rewards as people rate", () => {
    const contributions = { helpfulness: 0.03, verbosity: 0.08, a: -0.01, b: 0.004, c: 0.006 };
    expect(explainScore(score(contributions, { helpfulness: 3.62 }))).toBe(
      "62 % of this score of 0.11 is verbosity (+0.08), 23 % helpfulness (+0.03, rated 3.6), 8 % a (−0.01), 8 % others (+0.01)",
    );
  });

  test("show the share of others even where these cancel out", () => {
    expect(explainScore(score({ a: 1, b: 0.5, c: 0.5, d: 0.25, e: -0.25 }))).toBe(
      "40 % of this score of 2.00 is a (+1.00), 20 % b (+0.50), 20 % c (+0.50), 20 % others (+0.00)",
    );
  });

  test("have nothing to split for one objective", () => {
    expect(explainScore(score({ reward: -1.234 }))).toBe("all of this score of −1.23 is reward");
    expect(explainScore(score({ reward: 2 }, { reward: 4 }))).toBe(
      "all of this score of 2.00 is reward (rated 4.0)",
    );
  });

  test("stay words where nothing contributes, or next to nothing", () => {
    expect(explainScore(score({ a: 0, b: -0 }))).toBe("no objective contributes: this score is 0");
    expect(explainScore(score({ a: 3e-9, b: 1e-9 }))).toBe(
      "75 % of this score of 0.0000000040 is a (+0.0000000030), 25 % b (+0.0000000010)",
    );
    expect(() => explainScore(score({ a: Number.POSITIVE_INFINITY, b: 0 }))).toThrow(RangeError);
  });

  test("print the shares and contributions of the score", () => {
    const random = createRandom(4);
    for (let trial = 0; trial < 300; trial++) {
      const K = 2 + (trial % 18);
      const objectives: Objective[] = Array.from({ length: K }, (_, k) => ({ name: `objective ${k}` }));
      const whole = toScore(
        partsOf(Float64Array.from({ length: K }, () => random.normal())),
        objectives,
        ABOUT,
      );
      const sum = Object.values(whole.contributions).reduce((total, value) => total + value, 0);
      expect(sum).toBeCloseTo(whole.score, 12);
      const words = explainScore(whole);
      expect(words).not.toMatch(/NaN|undefined|Infinity/);
      const printed = [
        ...words.matchAll(
          /(?:^|, )([\d.]+) %(?: of this score of \S+ is)? (objective \d+) \(([−+][\d.]+)\)/g,
        ),
      ];
      expect(printed.length).toBeGreaterThan(0);
      for (const [, share, name, value] of printed) {
        const digits = value!.split(".")[1]!.length;
        expect(number(value!)).toBe(Number(whole.contributions[name!]!.toFixed(digits)));
        expect(Number(share)).toBe(
          Number((100 * whole.shares[name!]!).toFixed(share!.includes(".") ? 1 : 0)),
        );
      }
    }
  });
});

describe("the words of a gate", () => {
  test("name its top objectives, and leave out those that hardly count", () => {
    expect(explainGate({ safety: 0.62, helpfulness: 0.21, c: 0.13, d: 0.04 })).toBe(
      "the gate listens to safety 62 %, helpfulness 21 %, c 13 %",
    );
    expect(explainGate({ a: 0.02, b: 1.96, c: 0.02 })).toBe("the gate listens to b 98 %");
  });

  test("say that it hardly chooses, or has nothing to choose", () => {
    const even = Object.fromEntries(Array.from({ length: 19 }, (_, k) => [`o${k}`, k === 4 ? 0.06 : 0.0522]));
    expect(explainGate(even)).toMatch(/^the gate listens to all 19 objectives about alike, most to o4 6 %/);
    expect(explainGate({ reward: 1 })).toBeNull();
    expect(explainGate({ a: 0, b: 0 })).toBe("the gate listens to no objective");
  });
});

test("the module imports nothing that a page could not", () => {
  const text = readFileSync(join(import.meta.dirname, "../../src/scoring/explanation.ts"), "utf8");
  expect([...text.matchAll(/^import (?!type ).*/gm)]).toEqual([]);
});

const ABOUT = { index: 0, tokens: 1, dtype: "f32", model: "m" };

function partsOf(contributions: Float64Array) {
  const ones = contributions.map(() => 1);
  return {
    score: contributions.reduce((sum, value) => sum + value, 0),
    rewards: contributions,
    adjustedRewards: contributions,
    gatingOutput: ones,
    coefficients: ones,
    contributions,
  };
}
