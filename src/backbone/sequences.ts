// Requests for hidden states, checked before anything computes.

import type { HiddenStatesRequest } from "./backbone.ts";
import type { Sequence } from "./packing.ts";

/**
 * A request with its positions written out.
 *
 * @throws {RangeError} When an id is outside the vocabulary, a position outside the sequence, or a sequence empty or too long.
 */
export function sequenceOf(
  { ids, positions }: HiddenStatesRequest,
  { vocabSize, maxTokens }: { readonly vocabSize: number; readonly maxTokens: number },
): Sequence {
  if (ids.length < 1 || ids.length > maxTokens) {
    throw new RangeError(`hiddenStates: a request must have 1 to ${maxTokens} tokens, got ${ids.length}`);
  }
  for (const id of ids) {
    if (!Number.isInteger(id) || id < 0 || id >= vocabSize) {
      throw new RangeError(`hiddenStates: ids must be integers from 0 to ${vocabSize - 1}, got ${id}`);
    }
  }
  for (const position of positions ?? []) {
    if (!Number.isInteger(position) || position < 0 || position >= ids.length) {
      throw new RangeError(`hiddenStates: positions must lie from 0 to ${ids.length - 1}, got ${position}`);
    }
  }
  return { ids, positions: positions ?? ids.map((_, position) => position) };
}

export function countTokens(sequences: readonly Sequence[]): number {
  return sequences.reduce((sum, { ids }) => sum + ids.length, 0);
}
