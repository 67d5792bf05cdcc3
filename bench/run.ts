// Prints every claim about speed with its ratio against a peer, measured in this run. Quiet machines give quiet numbers.
//
//     npm run bench                                  all of it, some minutes; 5 GB of temporary files, removed at the end
//     npm run bench -- --only prefill,packing        those whose names begin so (--list prints the names)
//     npm run bench -- --json                        one object a line
//     npm run bench -- --with-llama-cpp              installs node-llama-cpp into a temporary folder
//     ARMORM_BENCH_LLAMA_CPP=FOLDER npm run bench    uses the one below FOLDER/node_modules
//
// Peers in Python come from Debian: python3-torch with libopenblas0-pthread, python3-sklearn, python3-scipy.
// start-up and serve start the built package, which npm run bench builds. profile.ts shows where the time of a prefill goes;
// gating-run.ts is a whole run of gate training at the paper's size, about an hour; serve-soak.ts watches the server's memory.

import { parseArgs } from "node:util";
import { measureDebias } from "./debias.ts";
import { measureEmbedding } from "./embedding.ts";
import { measureGatingStep } from "./gating-step.ts";
import { measurePacking } from "./packing.ts";
import { measurePrefillF32 } from "./prefill-f32.ts";
import { measurePrefillInt8 } from "./prefill-int8.ts";
import { measureRidge } from "./ridge.ts";
import { measureRidgeMemory } from "./ridge-memory.ts";
import { measureServe } from "./serve.ts";
import { measureStartUp } from "./start-up.ts";

const MEASUREMENTS = {
  "gating-step": measureGatingStep,
  ridge: measureRidge,
  "ridge-memory": measureRidgeMemory,
  debias: measureDebias,
  "prefill-f32": measurePrefillF32,
  "prefill-int8": measurePrefillInt8,
  packing: measurePacking,
  embedding: measureEmbedding,
  "start-up": measureStartUp,
  serve: measureServe,
};

const { values: options } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    list: { type: "boolean", default: false },
    only: { type: "string" },
    "with-llama-cpp": { type: "boolean", default: false },
  },
});
const wanted = options.only?.split(",") ?? [""];
const chosen = Object.entries(MEASUREMENTS).filter(([name]) =>
  wanted.some((start) => name.startsWith(start)),
);
if (chosen.length === 0) {
  console.error(`bench: expected --only with one of ${Object.keys(MEASUREMENTS).join(", ")}`);
  process.exit(2);
}
if (options.list) {
  for (const [name] of chosen) console.log(name);
  process.exit(0);
}

process.once("SIGINT", () => process.exit(130)); // Temporary folders are removed when the process exits.
for (const [, measure] of chosen) {
  for (const { claim, ours, peer, unit, ratio, bar } of await measure()) {
    if (options.json) console.log(JSON.stringify({ claim, ours, peer, unit, ratio, bar }));
    else {
      const expected = bar === null ? "no bar" : `bar ${bar}`;
      const against = peer === null ? "peer not installed" : `${peer} ${unit}, ratio ${ratio} (${expected})`;
      console.log(`${claim}\n  ours ${ours} ${unit}, peer ${against}`);
    }
  }
}
