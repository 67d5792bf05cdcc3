import { explainDeath } from "../armo/dead-objectives.ts";
import type { TrainingDiagnostics } from "../armo/diagnostics.ts";
import { describeGateWarning } from "../armo/gate-effect.ts";
import { fixed, integer, percent, print } from "./output.ts";

/** What training found out about its model, in a few lines; the report has the rest. */
export function printDiagnostics({ gate, objectives, dead, length, seeds }: TrainingDiagnostics): void {
  const { entropy, fixed: weights, warnings } = gate;
  const K = Object.keys(objectives).length;
  const mean = weights["mean weights"];
  if (K > 1) {
    print(
      `gate: ${fixed(entropy.effectiveObjectives, 1)} of ${integer(K)} objectives in effect; its mean weights alone reach ${percent(mean.accuracy)}, and prefer the other response in ${percent(mean.changed)} of the pairs`,
    );
  }
  if (length) {
    const { before, after } = length.scores["trained gate"];
    print(`score and length: ρ ${fixed(before, 2)} with raw rewards, ${fixed(after, 2)} as it is`);
  }
  if (seeds) {
    const { runs, accuracy, agreement } = seeds;
    print(
      `${integer(runs.length)} seeds: accuracy ${percent(accuracy.mean)} ± ${percent(accuracy.standardDeviation)}; two of them agree on ${percent(agreement)} of the pairs`,
    );
  }
  for (const warning of warnings) print(`careful: ${describeGateWarning(warning)}`);
  for (const { name, causes } of dead)
    print(`without effect: ${name} (${causes.map(explainDeath).join(", ")})`);
}
