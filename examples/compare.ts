// Compares two answers to one prompt and says, objective by objective, why one wins.
//
//     npx tsx examples/compare.ts [model]    default: the model that `npm run demo` has trained

import { openRewardModel } from "armorm";

const [directory = "armorm-demo/model"] = process.argv.slice(2);
await using model = await openRewardModel(directory);

const prompt = [{ role: "user", content: "List three things to pack for a walk in the rain." }];
const responses = [
  "1. A rain jacket\n2. Waterproof shoes\n3. A dry pair of socks",
  "jacket and shoes so maybe",
];
const { ranking, pairs } = await model.compare(prompt, responses);

console.log(`the winner: ${JSON.stringify(responses[ranking[0]!])}`);
const { margin, probability, contributions } = pairs[0]!;
console.log(`margin ${margin.toFixed(4)}`);
if (probability !== null) console.log(`preferred with probability ${probability.toFixed(2)}`);
// The contributions sum to the margin. The largest come first, whichever side they speak for.
const reasons = Object.entries(contributions).sort(([, a], [, b]) => Math.abs(b) - Math.abs(a));
for (const [objective, contribution] of reasons) {
  const side = contribution > 0 ? "for the winner" : contribution < 0 ? "against it" : "";
  console.log(`  ${objective.padEnd(16)} ${contribution.toFixed(4).padStart(8)}  ${side}`);
}
