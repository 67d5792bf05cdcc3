// Picks the best of several answers, in a process of its own, so that this one stays responsive: what a server does.
//
//     npx tsx examples/best-of-n.ts [model]    default: the model that `npm run demo` has trained

import { openRewardModel } from "armorm";

const [directory = "armorm-demo/model"] = process.argv.slice(2);
await using model = await openRewardModel(directory, { isolate: true });

const prompt = [{ role: "user", content: "How many minutes are there in two hours?" }];
const answers = [
  "There are 120 minutes in two hours.",
  "Two hours have 120 minutes: 60 minutes in each. Just ask if you need anything else!",
  "About a hundred, more or less.",
  "Why would anybody ask me that?",
  "Hours are long. Minutes are short. There are many of them, and some people like to count them.",
];
const { ranking, responses } = await model.compare(prompt, answers, {
  signal: AbortSignal.timeout(60_000),
  onProgress: (done, total) => console.error(`${done} of ${total} tokens`),
});

for (const [place, index] of ranking.entries()) {
  console.log(`${place + 1}. ${responses[index]!.score.toFixed(4).padStart(8)}  ${answers[index]}`);
}
const [best, worst] = [ranking[0]!, ranking.at(-1)!];
// A row for preference training (DPO), or, with the best alone, for rejection sampling.
console.log(JSON.stringify({ prompt, chosen: answers[best], rejected: answers[worst] }));
