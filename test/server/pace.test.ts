import { describe, expect, test } from "vitest";
import type { Score } from "../../src/reward-model.ts";
import { startPace } from "../../src/server/inference/pace.ts";

const text = (bytes: number) => [{ role: "user" as const, content: "x".repeat(bytes) }];
const scored = (...tokens: number[]) => tokens.map((tokens, index) => ({ index, tokens }) as Score);

describe("the pace", () => {
  test("learns how many bytes a token has and how long it takes", () => {
    const pace = startPace(1);
    expect(pace.estimateTokens(text(400))).toBe(104); // four to a token, and the template's own
    for (let i = 0; i < 200; i++) pace.learn([text(2000)], scored(1004), 0.5);
    expect(pace.estimateTokens(text(400))).toBe(204);
    expect(pace.estimateSeconds(2000)).toBeCloseTo(1, 1);
    expect(startPace(4).estimateSeconds(4000)).toBe(1);
  });

  test("learns seconds from token ids too, and nothing of bytes", () => {
    const pace = startPace(1);
    for (let i = 0; i < 1000; i++) pace.learn([{ ids: new Array(500).fill(1) }], scored(500), 0.25);
    expect(pace.estimateSeconds(2000)).toBeCloseTo(1, 1);
    expect(pace.estimateTokens(text(400))).toBe(104);
  });

  test("forgets nothing over batches without a score", () => {
    const pace = startPace(1);
    for (let i = 0; i < 20_000; i++) pace.learn([text(400)], [], 0.001);
    expect(pace.estimateSeconds(1000)).toBe(1);
    expect(pace.estimateTokens(text(400))).toBe(104);
  });

  test("promises nothing beyond an hour", () => {
    expect(startPace(1).estimateSeconds(1e9)).toBe(3600);
  });
});
