import type { ByObjective } from "../reward-model.ts";

/** How the gate mixes objectives for one group of prompts. */
export interface GateMean {
  /** Pairs of the group. */
  readonly n: number;
  /** Mean gating output by objective. */
  readonly gatingOutput: ByObjective;
}

/** Mean gating outputs by group: subset, or source where there is no subset. */
export type GateMeans = Readonly<Record<string, GateMean>>;

/** Takes the gating outputs of pairs one by one; groups stand in the order in which they first occur. */
export function createGateMeans() {
  const groups = new Map<string, { n: number; sums: Map<string, number> }>();
  return {
    /** @param pairs Number of pairs that `gatingOutput` is the mean of. Default 1. */
    add(group: string, gatingOutput: ByObjective, pairs = 1): void {
      let entry = groups.get(group);
      if (!entry) {
        entry = { n: 0, sums: new Map() };
        groups.set(group, entry);
      }
      entry.n += pairs;
      for (const [name, weight] of Object.entries(gatingOutput)) {
        entry.sums.set(name, (entry.sums.get(name) ?? 0) + pairs * weight);
      }
    },
    means(): GateMeans {
      return Object.fromEntries(
        [...groups].map(([group, { n, sums }]) => [
          group,
          { n, gatingOutput: Object.fromEntries([...sums].map(([name, sum]) => [name, sum / n])) },
        ]),
      );
    },
  };
}
