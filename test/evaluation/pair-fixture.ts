import type { RejectedRow } from "../../src/evaluation/collect-rows.ts";
import type { PairResult, PairScorer, PairScores } from "../../src/evaluation/pair-scores.ts";

/** What a test says of a pair; the rest is made up. */
export interface PairSketch extends Partial<Omit<PairScores, "chosen" | "rejected">> {
  /** What each objective adds to the margin. */
  readonly margin: Readonly<Record<string, number>>;
  readonly gate?: Readonly<Record<string, number>>;
  /** Tokens of both responses. */
  readonly tokens?: readonly [number, number];
}

const response = (
  contributions: Readonly<Record<string, number>>,
  gate: PairSketch["gate"],
  tokens: number,
) => ({
  score: Object.values(contributions).reduce((sum, value) => sum + value, 0),
  rewards: contributions,
  adjustedRewards: contributions,
  gatingOutput: gate ?? Object.fromEntries(Object.keys(contributions).map((name) => [name, 0.5])),
  contributions,
  tokens,
});

/** A scored pair whose rejected response scores 0 everywhere. */
export function pairScores({ margin, gate, tokens = [5, 5], ...about }: PairSketch, row = 0): PairScores {
  const zero = Object.fromEntries(Object.keys(margin).map((name) => [name, 0]));
  return {
    id: row,
    source: "made-up",
    subset: null,
    promptHash: `prompt ${row}`,
    ...about,
    chosen: response(margin, gate, tokens[0]),
    rejected: response(zero, gate, tokens[1]),
  };
}

/** A scorer of sketches; other results pass through as they are. */
export const scorerOf = (rows: readonly (PairSketch | PairResult)[]): PairScorer =>
  async function* (skip) {
    for (const [i, row] of rows.entries()) {
      const result = "margin" in row ? pairScores(row, i) : row;
      if ("promptHash" in result && skip(result.promptHash))
        yield { promptHash: result.promptHash, skipped: true };
      else yield result;
    }
  };

export const rejectedPair = (
  about: { readonly id?: number; readonly subset?: string | null } = {},
): RejectedRow => ({
  id: 99,
  source: "made-up",
  subset: null,
  kind: "too-long",
  reason: "too long",
  ...about,
});
