// What a reward model adds to its backbone, seen from outside. H hidden size, K objectives.

import { createHash } from "node:crypto";
import type { Tensor } from "../checkpoint/dtypes.ts";
import type { Objective, Steering } from "../reward-model.ts";
import type { ScoreParts } from "./score-parts.ts";
import { resolveSteering, steerParts } from "./steering.ts";

/** Everything between hidden states and a score. Plain arithmetic: no backbone, no native parts. */
export interface Scorer {
  readonly objectives: readonly Objective[];
  readonly hiddenSize: number;
  /** β of P(better ≻ worse) = σ(β · margin); null where training had none. */
  readonly marginScale: number | null;
  /** T `[K, K]`, rows first; null where rewards are not adjusted. */
  readonly transform: readonly number[] | null;
  /** Whether scores depend on the hidden state at the gating token too. */
  readonly gated: boolean;
  /**
   * Scores responses to one prompt, each by the hidden state `[H]` of its last token.
   *
   * @param promptEmbedding `[H]`, hidden state of the gating token; not read unless `gated`.
   */
  forPrompt(promptEmbedding: Float32Array): (embedding: Float32Array) => ScoreParts;
  /** Plain data that differ where scores can differ: numbers hashed, names and settings as they are. */
  identity(): object;
}

/**
 * The same scorer under steering; its parts say what they were without.
 *
 * @param steering Undefined leaves the scorer as it is. @param where What to call the model in messages.
 * @throws {InputError} `unknown-objective`, `bad-steering`, `one-objective`.
 */
export function steerScorer(scorer: Scorer, steering: Steering | undefined, where: string): Scorer {
  if (!steering) return scorer;
  const mixture = resolveSteering(steering, scorer.objectives, where);
  return {
    ...scorer,
    forPrompt(promptEmbedding) {
      const scoreResponse = scorer.forPrompt(promptEmbedding);
      return (embedding) => steerParts(scoreResponse(embedding), mixture, scorer.transform);
    },
    identity: () => ({ ...scorer.identity(), steering }),
  };
}

/** SHA-256, in hexadecimal, over names, shapes and values, in order. */
export function hashTensors(tensors: ReadonlyMap<string, Tensor>): string {
  const hash = createHash("sha256");
  for (const [name, { shape, data }] of tensors) {
    hash.update(`${name} ${shape.join()}\n`);
    hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  return hash.digest("hex");
}
