import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openBackbone } from "../../src/backbone/backbone.ts";
import { findGatingPosition } from "../../src/chat/gating-position.ts";
import { openRewardModel } from "../../src/opening/open-reward-model.ts";
import type { ByObjective } from "../../src/reward-model.ts";
import type { LocalRewardModel } from "../../src/scoring/local-model.ts";

interface GoldenCase {
  readonly title: string;
  readonly input_ids: number[];
  readonly rewards: number[];
  readonly gating_output: number[];
  readonly rewards_adjusted: number[];
  readonly coefficients: number[];
  readonly score: number;
  readonly gating_token_position: number;
  readonly hidden_state: number[];
  readonly prompt_embedding: number[];
}

interface GoldenBatch {
  readonly input_ids: number[][];
  readonly attention_mask: number[][];
  readonly expected_case_index: number[];
}

describe.each(["armorm-f32", "armorm-bf16-sharded"])("golden checkpoint %s", (name) => {
  const directory = join(import.meta.dirname, "../golden/armorm", name);
  const expected = JSON.parse(readFileSync(join(directory, "expected.json"), "utf8"));
  const cases: GoldenCase[] = expected.cases;
  const { atol, rtol } = expected.suggested_tolerance;
  let model: LocalRewardModel;
  beforeAll(async () => {
    model = await openRewardModel(directory, {
      gatingTokenPattern: expected.gating_token_pattern,
      threads: 1,
    });
  });
  afterAll(() => model.close());

  const close = (actual: ByObjective, wanted: readonly number[]) => {
    const values = Object.values(actual);
    expect(values).toHaveLength(wanted.length);
    for (const [k, value] of values.entries()) {
      expect(Math.abs(value - wanted[k]!)).toBeLessThanOrEqual(atol + rtol * Math.abs(wanted[k]!));
    }
  };

  test("gives rewards, gating outputs, coefficients and scores from token ids", async () => {
    const scores = await model.scoreTokens(cases.map((c) => c.input_ids));
    for (const [i, score] of scores.entries()) {
      close(score.rewards, cases[i]!.rewards);
      close(score.gatingOutput, cases[i]!.gating_output);
      close(score.adjustedRewards, cases[i]!.rewards_adjusted);
      close(score.coefficients, cases[i]!.coefficients);
      close({ score: score.score }, [cases[i]!.score]);
      expect(Object.keys(score.rewards)).toEqual(expected.attributes);
    }
  });

  test("scores a conversation alone as in a batch, to the last bit", async () => {
    const together = await model.scoreTokens(cases.map((c) => c.input_ids));
    for (const [i, { input_ids }] of cases.entries()) {
      const [alone] = await model.scoreTokens([input_ids]);
      expect(alone).toEqual({ ...together[i], index: 0 });
    }
  });

  test("reads the gating position and both hidden states that the scores come from", async () => {
    await using backbone = await openBackbone(directory, { threads: 1 });
    for (const c of cases) {
      expect(findGatingPosition(c.input_ids, expected.gating_token_pattern)).toBe(c.gating_token_position);
      const positions = [c.gating_token_position, c.input_ids.length - 1];
      const [states] = await backbone.hiddenStates([{ ids: c.input_ids, positions }]);
      close(
        Object.fromEntries([...c.prompt_embedding, ...c.hidden_state].map((_, i) => [`${i}`, states![i]!])),
        [...c.prompt_embedding, ...c.hidden_state],
      );
    }
  });

  test("a padded batch without its padding scores as the conversations alone", async () => {
    for (const { input_ids, attention_mask, expected_case_index } of expected.batches as GoldenBatch[]) {
      const rows = input_ids.map((ids, b) => ids.filter((_, i) => attention_mask[b]![i] === 1));
      const scores = await model.scoreTokens(rows);
      for (const [b, score] of scores.entries())
        close({ score: score.score }, [cases[expected_case_index[b]!]!.score]);
    }
  });

  test.each(expected.must_raise as { title: string; input_ids: number[] }[])(
    "$title",
    async ({ input_ids }) => {
      await expect(model.scoreTokens([input_ids])).rejects.toThrow("gating token: expected the pattern");
    },
  );
});
