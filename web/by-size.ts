import type { ByObjective } from "../src/reward-model.ts";

/** Objectives with their numbers, largest absolute value first. */
export const bySize = (values: ByObjective): [name: string, value: number][] =>
  Object.entries(values).sort(([, a], [, b]) => Math.abs(b) - Math.abs(a));

/** Names of objectives by the largest absolute value among several answers. */
export function objectivesBySize(answers: readonly ByObjective[]): string[] {
  const largest = new Map<string, number>();
  for (const values of answers) {
    for (const [name, value] of Object.entries(values)) {
      largest.set(name, Math.max(largest.get(name) ?? 0, Math.abs(value)));
    }
  }
  return bySize(Object.fromEntries(largest)).map(([name]) => name);
}
