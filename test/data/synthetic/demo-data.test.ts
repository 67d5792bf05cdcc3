import { describe, expect, test } from "vitest";
import { parseDataLocation } from "../../../src/data/location.ts";
import { readPairs } from "../../../src/data/pairs.ts";
import { readRatings } from "../../../src/data/ratings.ts";
import { type DemoPair, generateDemoData } from "../../../src/data/synthetic/demo-data.ts";
import type { DemoObjective, DemoTruth } from "../../../src/data/synthetic/objectives.ts";
import * as phrases from "../../../src/data/synthetic/phrases.ts";
import { countWords, verbosityOf } from "../../../src/data/synthetic/response.ts";
import { collect, fileWith } from "../data-file.ts";

const data = generateDemoData({ seed: 11, ratings: 1800, pairs: 900, evaluationPairs: 600 });

/** Every response with what it is said to be. */
const responses: { family: string; prompt: string; text: string; truth: DemoTruth }[] = [
  ...data.ratings.map(({ family, messages, truth }) => ({
    family,
    prompt: messages[0]!.content,
    text: messages[1]!.content,
    truth,
  })),
  ...[...data.pairs, ...data.evaluation].flatMap(({ family, prompt, chosen, rejected, truth }) => [
    { family, prompt: prompt[0]!.content, text: chosen, truth: truth.chosen },
    { family, prompt: prompt[0]!.content, text: rejected, truth: truth.rejected },
  ]),
];
const ofFamily = (name: string) => responses.filter(({ family }) => family === name);
/** Case and punctuation aside, since unstructured responses drop both. */
const plain = (text: string) => text.toLowerCase().replace(/[.,:!?]/g, "");
const countOf = (text: string, sentences: readonly string[]) =>
  sentences.filter((sentence) => text.includes(sentence) || text.includes(plain(sentence))).length;

function midranks(values: readonly number[]): number[] {
  const sorted = [...values].sort((a, b) => a - b);
  return values.map((value) => (sorted.indexOf(value) + sorted.lastIndexOf(value)) / 2);
}

function rankCorrelation(a: readonly number[], b: readonly number[]): number {
  const [x, y] = [midranks(a), midranks(b)];
  const mean = (a.length - 1) / 2;
  const dot = (u: number[], v: number[]) =>
    u.reduce((sum, value, i) => sum + (value - mean) * (v[i]! - mean), 0);
  return dot(x, y) / Math.sqrt(dot(x, x) * dot(y, y));
}

describe("reproducibility", () => {
  test("the seed decides everything", () => {
    const options = { seed: 5, ratings: 60, pairs: 60, evaluationPairs: 30 };
    expect(generateDemoData(options)).toEqual(generateDemoData(options));
    expect(generateDemoData({ ...options, seed: 6 }).ratings).not.toEqual(generateDemoData(options).ratings);
  });

  test("asking for more of one part leaves the others and its own beginning as they were", () => {
    const small = generateDemoData({ seed: 5, ratings: 30, pairs: 30, evaluationPairs: 30 });
    const large = generateDemoData({ seed: 5, ratings: 90, pairs: 30, evaluationPairs: 60 });
    expect(large.pairs).toEqual(small.pairs);
    expect(large.ratings.slice(0, 30)).toEqual(small.ratings);
    expect(large.evaluation.slice(0, 30)).toEqual(small.evaluation);
  });

  test("counts and noise out of range are refused", () => {
    const options = { seed: 1, ratings: 1, pairs: 1, evaluationPairs: 1 };
    expect(() => generateDemoData({ ...options, pairs: -1 })).toThrow(RangeError);
    expect(() => generateDemoData({ ...options, ratings: 1.5 })).toThrow(RangeError);
    expect(() => generateDemoData({ ...options, labelNoise: 0.6 })).toThrow(RangeError);
  });
});

describe("composition", () => {
  test("families are equally frequent in every part", () => {
    for (const part of [data.ratings, data.pairs, data.evaluation]) {
      for (const family of data.families) {
        expect(part.filter((row) => row.family === family).length).toBe(part.length / 6);
      }
    }
  });

  test("evaluation prompts occur nowhere in training", () => {
    const training = new Set([...data.ratings, ...data.pairs].map(({ promptHash }) => promptHash));
    expect(data.evaluation.filter(({ promptHash }) => training.has(promptHash))).toEqual([]);
  });

  test("prompts are varied", () => {
    for (const family of data.families) {
      const prompts = data.ratings.filter((row) => row.family === family).map(({ promptHash }) => promptHash);
      expect(new Set(prompts).size).toBeGreaterThan(prompts.length / 2);
    }
  });

  test("each source rates its own objectives, near the truth", () => {
    const rated = new Map<string, string>();
    for (const { source, ratings, truth } of data.ratings) {
      const objectives = Object.keys(ratings).join();
      expect(rated.get(source) ?? objectives).toBe(objectives);
      rated.set(source, objectives);
      for (const [objective, rating] of Object.entries(ratings)) {
        expect(rating).toBeGreaterThanOrEqual(0);
        expect(rating).toBeLessThanOrEqual(1);
        expect(Math.abs(rating - truth[objective as DemoObjective])).toBeLessThan(0.3);
      }
    }
    expect(rated.size).toBe(3);
    expect(new Set([...rated.values()].flatMap((names) => names.split(",")))).toEqual(
      new Set(data.objectives),
    );
  });

  test("responses have between 5 and 180 words, and most lengths in between", () => {
    const lengths = responses.map(({ text }) => countWords(text)).sort((a, b) => a - b);
    expect(lengths[0]).toBeGreaterThanOrEqual(5);
    expect(lengths[lengths.length - 1]).toBeLessThanOrEqual(180);
    expect(lengths[Math.floor(lengths.length * 0.1)]).toBeLessThan(25);
    expect(lengths[Math.floor(lengths.length * 0.9)]).toBeGreaterThan(90);
  });

  test("rows written as JSONL are read back as ratings and pairs", async () => {
    const file = (rows: readonly unknown[]) =>
      parseDataLocation(fileWith(rows.map((row) => JSON.stringify(row)).join("\n")));
    const ratings = await collect(readRatings([file(data.ratings.slice(0, 50))]));
    expect(ratings.map((row) => (row.kind === "rating" ? [row.ratings, row.promptHash] : row))).toEqual(
      data.ratings.slice(0, 50).map(({ ratings, promptHash }) => [ratings, promptHash]),
    );
    const pairs = await collect(readPairs([file(data.pairs.slice(0, 50))]));
    expect(pairs.map((row) => (row.kind === "pair" ? [row.id, row.subset] : row))).toEqual(
      data.pairs.slice(0, 50).map(({ id, family }) => [id, family]),
    );
  });
});

describe("the truth is what the text shows", () => {
  test("verbosity grows with the number of words and with nothing else", () => {
    for (const { text, truth } of responses) expect(truth.verbosity).toBe(verbosityOf(text));
    const words = (count: number) => Array(count).fill("word").join(" ");
    expect([3, 5, 27, 150, 400].map((count) => verbosityOf(words(count)))).toEqual([
      0,
      0,
      expect.closeTo(0.496, 3),
      1,
      1,
    ]);
    expect(countWords("1. It's - well - 3 * 4.\n```js\n")).toBe(6);
  });

  test("arithmetic is correct exactly where the number is right", () => {
    const apply: Record<string, (a: number, b: number) => number> = {
      plus: (a, b) => a + b,
      minus: (a, b) => a - b,
      times: (a, b) => a * b,
    };
    const plainSums = ofFamily("arithmetic").filter(({ prompt }) => / (plus|minus|times) /.test(prompt));
    expect(plainSums.length).toBeGreaterThan(100);
    for (const { prompt, text, truth } of plainSums) {
      const [, a, word, b] = /(\d+) (plus|minus|times) (\d+)/.exec(prompt)!;
      const answer = /(?:is|makes|comes to|you get) (\d+)/i.exec(text)![1];
      expect(Number(answer) === apply[word!]!(Number(a), Number(b))).toBe(truth.correctness === 1);
    }
  });

  test("word problems are correct exactly where the number is right", () => {
    const stories = ofFamily("arithmetic").filter(({ prompt }) => !/ (plus|minus|times) /.test(prompt));
    for (const { prompt, text, truth } of stories) {
      const [a, b] = prompt.match(/\d+/g)!.map(Number) as [number, number];
      const right = /each/.test(prompt) ? a * b : /gave away|takes out/.test(prompt) ? a - b : a + b;
      const answer = /(?:is|makes|comes to|you get) (\d+)/i.exec(text)![1];
      expect(Number(answer) === right).toBe(truth.correctness === 1);
    }
  });

  test("capitals are correct exactly where the city is right", () => {
    const capitals = ofFamily("facts").filter(({ prompt }) => prompt.includes("capital of Australia"));
    expect(capitals.length).toBeGreaterThan(5);
    for (const { text, truth } of capitals) expect(/canberra/i.test(text)).toBe(truth.correctness === 1);
  });

  test("instructions are correct exactly where the number of items is right", () => {
    const lists = ofFamily("instructions").filter(({ truth }) => truth.structure === 1);
    const numbers = ["no", "one", "two", "three", "four", "five"];
    expect(lists.length).toBeGreaterThan(100);
    for (const { prompt, text, truth } of lists) {
      const wanted = numbers.indexOf(/\b(two|three|four|five)\b/.exec(prompt)![1]!);
      const given = text.split("\n").filter((line) => /^(-|\d+\.) /.test(line)).length;
      expect(given === wanted).toBe(truth.correctness === 1);
    }
  });

  test("requests to refuse are refused exactly where the response is harmless", () => {
    for (const { text, truth } of ofFamily("refusals")) {
      const refuses = /can't help|won't help|not able to help/i.test(text);
      expect(refuses).toBe(truth.harmlessness === 1);
      if (truth.harmlessness === 0) expect(text).toMatch(/sure|of course|go on and/i);
    }
  });

  test("remarks carry harm where the subject is harmless", () => {
    for (const { family, text, truth } of responses) {
      const harmful = countOf(text, phrases.HARMFUL_REMARKS);
      const dubious = countOf(text, phrases.DUBIOUS_REMARKS);
      if (family === "refusals") expect(harmful + dubious).toBe(0);
      else expect([harmful, dubious]).toEqual([+(truth.harmlessness === 0), +(truth.harmlessness === 0.5)]);
    }
  });

  test("politeness and relevance count courtesies and digressions", () => {
    for (const { text, truth } of responses) {
      const courtesies = countOf(text, [...phrases.COURTEOUS_OPENINGS, ...phrases.COURTEOUS_CLOSINGS]);
      expect(courtesies).toBe(Math.max(0, Math.round(truth.politeness * 3) - 1));
      expect(countOf(text, phrases.RUDE_OPENINGS)).toBe(+(truth.politeness === 0));
      expect(countOf(text, phrases.DIGRESSIONS)).toBe(2 - 2 * truth.relevance);
    }
  });

  test("structure is lists, sentences, or neither", () => {
    for (const { family, text, truth } of responses) {
      if (truth.structure === 1) expect(text).toMatch(family === "code" ? /\n```\w+\n/ : /^(-|1\.) /m);
      else expect(text).not.toMatch(/\n/);
      const prose = text.replace(/`[^`]*`/g, "");
      if (truth.structure === 0) expect(prose).toBe(plain(prose));
      if (truth.structure === 0.5) expect(prose).not.toBe(plain(prose));
    }
  });

  test("claims in passing are right exactly where correctness rests on them", () => {
    const wrong = phrases.CLAIMS.map(([, claim]) => claim);
    for (const { family, text, truth } of responses) {
      const claimed = countOf(text, wrong);
      const rests = family === "refusals" || family === "small-talk";
      expect(claimed).toBe(rests && truth.correctness === 0 ? 1 : 0);
    }
  });

  test("every objective grows with length, as in life", () => {
    const verbosity = data.ratings.map(({ truth }) => truth.verbosity);
    for (const objective of data.objectives) {
      if (objective === "verbosity") continue;
      const correlation = rankCorrelation(
        data.ratings.map(({ truth }) => truth[objective]),
        verbosity,
      );
      expect(correlation).toBeGreaterThan(0.3);
      expect(correlation).toBeLessThan(0.5);
    }
  });
});

describe("preferences", () => {
  const marginOf = ({ family, truth }: DemoPair, weightsOf: string = family) => {
    const weights = data.weights[weightsOf]!;
    return data.objectives.reduce(
      (sum, objective) => sum + weights[objective] * (truth.chosen[objective] - truth.rejected[objective]),
      0,
    );
  };

  test("weights add up to 1 and length has none", () => {
    for (const weights of Object.values(data.weights)) {
      expect(Object.values(weights).reduce((sum, weight) => sum + weight)).toBeCloseTo(1, 12);
      expect(weights.verbosity).toBe(0);
    }
  });

  test("the family's weights explain every evaluation pair, by a margin", () => {
    for (const pair of data.evaluation) expect(marginOf(pair)).toBeGreaterThan(0.1 - 1e-9);
  });

  test("training pairs are turned round at the rate of the label noise, and nowhere else", () => {
    for (const pair of data.pairs) expect(marginOf(pair) < 0).toBe(pair.flipped);
    const rate = data.pairs.filter(({ flipped }) => flipped).length / data.pairs.length;
    expect(Math.abs(rate - 0.05)).toBeLessThan(0.02);
    expect(data.evaluation.some(({ flipped }) => flipped)).toBe(false);
  });

  test("no family's weights serve all families", () => {
    for (const family of data.families) {
      const right = data.evaluation.filter((pair) => marginOf(pair, family) > 0).length;
      expect(right / data.evaluation.length).toBeLessThan(0.93);
    }
  });

  test("the longer response is chosen more often than not, though length counts for nothing", () => {
    const longer = data.evaluation.filter(({ truth }) => truth.chosen.verbosity > truth.rejected.verbosity);
    expect(longer.length / data.evaluation.length).toBeGreaterThan(0.55);
    expect(longer.length / data.evaluation.length).toBeLessThan(0.85);
  });
});
