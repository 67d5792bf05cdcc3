// Prints every claim about speed with its ratio against a peer, measured in this run. Quiet machines give quiet numbers.

import { measureDebias } from "./debias.ts";
import { measureGatingStep } from "./gating-step.ts";
import { measureRidge } from "./ridge.ts";

const json = process.argv.includes("--json");
for (const measure of [measureGatingStep, measureRidge, measureDebias]) {
  for (const { claim, ours, peer, unit, ratio, bar } of await measure()) {
    if (json) console.log(JSON.stringify({ claim, ours, peer, unit, ratio, bar }));
    else {
      const against = peer === null ? "peer not installed" : `${peer} ${unit}, ratio ${ratio} (bar ${bar})`;
      console.log(`${claim}\n  ours ${ours} ${unit}, peer ${against}`);
    }
  }
}
