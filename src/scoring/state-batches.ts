// Hidden states for as long as it takes to use them. P requested positions of a sequence, H hidden size.

import type { Backbone, HiddenStatesOptions, HiddenStatesRequest } from "../backbone/backbone.ts";

/** Hidden states that are held at a time; a single request may have more. */
const MOST_BYTES = 2 ** 27;

/**
 * Turns the hidden states of each request into something smaller, so many requests at a time as a bounded memory holds.
 *
 * @param use Given rows `[P, H]` of one request and its index; keeps none of them.
 * @param mostBytes Default 128 MiB: 8000 tokens of an 8 B model's trace, or 4000 conversations without one.
 */
export async function useHiddenStates<Result>(
  backbone: Pick<Backbone, "hiddenSize" | "hiddenStates">,
  requests: readonly (HiddenStatesRequest & { readonly positions: readonly number[] })[],
  use: (rows: Float32Array, index: number) => Result,
  { signal, onProgress }: HiddenStatesOptions = {},
  mostBytes: number = MOST_BYTES,
): Promise<Result[]> {
  const totalTokens = requests.reduce((sum, { ids }) => sum + ids.length, 0);
  const results: Result[] = [];
  let doneTokens = 0;
  while (results.length < requests.length) {
    const from = results.length;
    let bytes = 0;
    let to = from;
    do bytes += 4 * backbone.hiddenSize * requests[to++]!.positions.length;
    while (
      to < requests.length &&
      bytes + 4 * backbone.hiddenSize * requests[to]!.positions.length <= mostBytes
    );
    const batch = requests.slice(from, to);
    const states = await backbone.hiddenStates(batch, {
      ...(signal ? { signal } : {}),
      ...(onProgress ? { onProgress: (done) => onProgress(doneTokens + done, totalTokens) } : {}),
    });
    for (const [i, rows] of states.entries()) results.push(use(rows, from + i));
    doneTokens += batch.reduce((sum, { ids }) => sum + ids.length, 0);
  }
  return results;
}
