// Works measured in turn, so that a busy minute of the machine slows all of them: their ratio is what counts.

import { setTimeout } from "node:timers/promises";
import { median } from "./claim.ts";

/** Does one piece of work and gives the seconds it took. */
export type Work = () => Promise<number>;

/** The seconds of a piece of work on this side. */
export const timed =
  (work: () => Promise<unknown>): Work =>
  async () => {
    const start = performance.now();
    await work();
    return (performance.now() - start) / 1000;
  };

/**
 * Median seconds of each work over so many rounds, after one that does not count. A missing work is NaN.
 *
 * Threads of the work before may still spin for some milliseconds: each begins after a pause.
 */
export async function medians(rounds: number, works: readonly (Work | undefined)[]): Promise<number[]> {
  const seconds: number[][] = works.map(() => []);
  for (let round = 0; round <= rounds; round++) {
    for (const [i, work] of works.entries()) {
      if (work === undefined) continue;
      await setTimeout(100);
      const taken = await work();
      if (round > 0) seconds[i]!.push(taken);
    }
  }
  return seconds.map((taken) => (taken.length === 0 ? Number.NaN : median(taken)));
}
