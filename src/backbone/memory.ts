// What a decoder needs of this machine's memory, and what that leaves for a run.

import { type Decoder, linearMatrices } from "./decoder.ts";
import type { RunBudget } from "./runs.ts";

/** Bytes that this process can still get before the machine, or its container, runs out. */
export const availableMemory = (): number => process.availableMemory();

/** Share of the available memory that weights may take: activations and others need the rest. */
const WEIGHTS_SHARE = 0.6;
/** Share for a run's tokens, and again for the slots of its attention. */
const RUN_SHARE = 0.2;
/** From here on more tokens make a run no faster. */
const MOST: RunBudget = { tokens: 2048, slots: 16_384 };
/** Fewer make every run slow; a longer sequence gets a run of its own. */
const LEAST: RunBudget = { tokens: 128, slots: 512 };

/** Whether f16 and bf16 matrices, widened for good, would crowd out everything else: 4 bytes a parameter. */
export function mustCastLate(decoder: Decoder, available: number): boolean {
  const narrow = linearMatrices(decoder).filter(({ dtype }) => dtype !== "F32");
  const wideBytes = narrow.reduce((sum, { shape }) => sum + 4 * shape[0]! * shape[1]!, 0);
  return wideBytes > WEIGHTS_SHARE * available;
}

/**
 * How much one run may hold, from the memory that is left once the weights are loaded.
 *
 * A packed token takes f32 rows of the stream, its norm and branch, of queries, keys and values, and of the MLP's gate, up and
 * product; a slot takes queries, keys, values and the result, twice for the operator's own layout. Its scores are never in
 * memory as a whole. Results do not depend on the budget.
 */
export function runBudget(decoder: Decoder, available: number): RunBudget {
  const { hiddenSize, heads, keyValueHeads, headSize, layers } = decoder;
  const [query, keyValue] = [heads * headSize, keyValueHeads * headSize];
  const intermediate = Math.max(...layers.map(({ up }) => up.weight.shape[0]!));
  const tokenBytes = 4 * (4 * hiddenSize + 2 * (query + 2 * keyValue) + 3 * intermediate);
  const slotBytes = 4 * 2 * (2 * query + 2 * keyValue);
  const within = (bytes: number, least: number, most: number) =>
    Math.max(least, Math.min(most, Math.floor((RUN_SHARE * available) / bytes)));
  return {
    tokens: within(tokenBytes, LEAST.tokens, MOST.tokens),
    slots: within(slotBytes, LEAST.slots, MOST.slots),
  };
}
