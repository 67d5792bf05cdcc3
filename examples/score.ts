// Scores two answers and says what each score is made of.
//
//     npx tsx examples/score.ts [model]      default: the model that `npm run demo` has trained

import { openRewardModel } from "armorm";

const [directory = "armorm-demo/model"] = process.argv.slice(2);
await using model = await openRewardModel(directory);

const question = { role: "user", content: "What is 17 plus 25?" };
const scores = await model.score([
  [question, { role: "assistant", content: "17 plus 25 is 42. I hope that helps!" }],
  [question, { role: "assistant", content: "Who knows. Do your own sums." }],
]);

for (const { index, score, contributions, shares, tokens } of scores) {
  console.log(`answer ${index + 1}: score ${score.toFixed(4)}, ${tokens} tokens`);
  // The contributions sum to the score; the shares are their sizes, compared.
  for (const [objective, contribution] of Object.entries(contributions)) {
    const bar = (contribution < 0 ? "-" : "+").repeat(Math.round(40 * shares[objective]!));
    console.log(`  ${objective.padEnd(16)} ${contribution.toFixed(4).padStart(8)}  ${bar}`);
  }
}
