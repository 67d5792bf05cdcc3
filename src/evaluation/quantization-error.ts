// What quantization does to a model on a sample of text: hidden states, margins, and preferences that flip.
//
// n pairs, H hidden size.

import { type BackboneOptions, openBackbone } from "../backbone/backbone.ts";
import type { QuantizedDtype } from "../backbone/quantization/blocks.ts";
import type { Chat } from "../chat/chat.ts";
import type { PreferencePair } from "../data/records.ts";
import { encodePair } from "../embedding/encode.ts";
import { InputError } from "../errors.ts";
import type { Scorer } from "../scoring/scorer.ts";

/** One arithmetic against f32, on the same text. */
export interface QuantizationError {
  readonly dtype: QuantizedDtype;
  /** Pairs of responses. */
  readonly pairs: number;
  /** RMS of the change of last hidden states, relative to their own RMS. */
  readonly hiddenState: number;
  /** The same of margins between two responses; null for a backbone without a reward model. */
  readonly margin: number | null;
  /** Share of pairs whose preferred response changes. */
  readonly flipped: number | null;
}

export interface QuantizationErrorOptions {
  readonly dtypes: readonly QuantizedDtype[];
  /** What turns hidden states into scores; null: hidden states alone are compared. */
  readonly scorer: Scorer | null;
  readonly open?: Omit<BackboneOptions, "dtype">;
}

/**
 * Compares quantized arithmetic with f32.
 *
 * Pairs that do not fit the backbone are left out.
 *
 * @throws {InputError} `no-usable-rows` when no pair is left; those of `openBackbone`.
 *
 * Cost: the sample's tokens once per dtype and once in f32, which needs 4 bytes a parameter or the patience of late casts.
 */
export async function measureQuantization(
  location: string,
  chat: Chat,
  pairs: readonly PreferencePair[],
  { dtypes, scorer, open = {} }: QuantizationErrorOptions,
): Promise<QuantizationError[]> {
  const run = async (dtype: "f32" | QuantizedDtype): Promise<PairStates[]> => {
    await using backbone = await openBackbone(location, { ...open, dtype });
    const context = { chat, maxTokens: backbone.maxTokens, overlong: "reject", objectives: [] } as const;
    const encoded = pairs.flatMap((pair, row) => {
      const result = encodePair(pair, row, context);
      return "requests" in result ? [result.requests] : [];
    });
    const states = await backbone.hiddenStates(encoded.flat());
    const H = backbone.hiddenSize;
    return encoded.map((_, i): PairStates => {
      const [first, rejected] = [states[2 * i]!, states[2 * i + 1]!];
      return { prompt: first.subarray(0, H), chosen: first.subarray(H), rejected };
    });
  };
  const exact = await run("f32");
  if (exact.length === 0) {
    throw new InputError(
      "no-usable-rows",
      "quantization: expected pairs that fit the backbone, got none",
      "give shorter conversations",
    );
  }
  const results: QuantizationError[] = [];
  for (const dtype of dtypes) {
    const rough = await run(dtype);
    results.push({ dtype, pairs: exact.length, ...compare(exact, rough, scorer) });
  }
  return results;
}

interface PairStates {
  readonly prompt: Float32Array;
  readonly chosen: Float32Array;
  readonly rejected: Float32Array;
}

function compare(exact: readonly PairStates[], rough: readonly PairStates[], scorer: Scorer | null) {
  const responses = (states: readonly PairStates[]) =>
    states.flatMap(({ chosen, rejected }) => [...chosen, ...rejected]);
  const hiddenState = relativeChange(responses(exact), responses(rough));
  if (scorer === null) return { hiddenState, margin: null, flipped: null };
  const margins = (states: readonly PairStates[]) =>
    states.map(({ prompt, chosen, rejected }) => {
      const score = scorer.forPrompt(prompt);
      return score(chosen).score - score(rejected).score;
    });
  const [want, got] = [margins(exact), margins(rough)];
  const flipped = want.filter((margin, i) => Math.sign(margin) !== Math.sign(got[i]!)).length;
  return { hiddenState, margin: relativeChange(want, got), flipped: flipped / want.length };
}

/** √(Σ (b − a)² / Σ a²) */
function relativeChange(a: readonly number[], b: readonly number[]): number {
  let change = 0;
  let size = 0;
  a.forEach((value, i) => {
    change += (b[i]! - value) ** 2;
    size += value ** 2;
  });
  return Math.sqrt(change / size);
}
