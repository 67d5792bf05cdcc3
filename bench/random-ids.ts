import { createRandom } from "../src/random.ts";

/** Token ids of a conversation that was never held. */
export function randomIds(length: number, vocabulary: number, seed = 1): number[] {
  const random = createRandom(seed);
  return Array.from({ length }, () => Math.floor(vocabulary * random.uniform()));
}
