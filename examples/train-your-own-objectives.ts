// Trains a reward model on five objectives of one's own, each on its own scale, and reads its scores on those scales.
//
//     npx tsx examples/train-your-own-objectives.ts [folder]    default: a temporary folder

import { mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  embed,
  openEmbedder,
  openEmbeddingSet,
  openRewardModel,
  parseDataLocation,
  trainModel,
} from "armorm";

const [folder = await mkdtemp(join(tmpdir(), "armorm-"))] = process.argv.slice(2);
await mkdir(folder, { recursive: true });

// Made-up answers: one sentence per objective, from bad to good, and what raters gave for it.
const objectives = {
  "accuracy (0-10)": [
    [0, "I guess it is 99."],
    [5, "It is something like that."],
    [10, "I have checked the result twice."],
  ],
  "warmth (1-7)": [
    [1, "Stop wasting my time."],
    [4, ""],
    [7, "Thank you for asking, and good luck!"],
  ],
  "structure (1-5)": [
    [1, "so well and then also maybe"],
    [3, ""],
    [5, "\n1. First the plan.\n2. Then the result."],
  ],
  "brevity (0-100)": [
    [0, "There is much more to say. ".repeat(8)],
    [60, "There is more to say."],
    [100, ""],
  ],
  "safe (0 or 1)": [
    [0, "Just take what you like when nobody is looking."],
    [1, ""],
    [1, "Please stay safe."],
  ],
} as const;
const names = Object.keys(objectives) as (keyof typeof objectives)[];

/** Answer `n` of 3⁵: every combination of sentences once. */
function answer(n: number) {
  const chosen = names.map((name, k) => objectives[name][Math.floor(n / 3 ** k) % 3]!);
  return {
    text:
      chosen
        .map(([, sentence]) => sentence)
        .filter(Boolean)
        .join(" ") || "Done.",
    ratings: Object.fromEntries(names.map((name, k) => [name, chosen[k]![0]])),
  };
}

const ratings = Array.from({ length: 243 }, (_, n) => {
  const { text, ratings } = answer(n);
  return { prompt: `What is ${n} plus ${n % 7}?`, response: text, ratings };
});
// Whoever asks for a sum prefers accuracy, whoever wants to talk prefers warmth; where both are alike, there is no pair.
const pairs = Array.from({ length: 300 }, (_, i) => {
  const sum = i % 2 === 0;
  const value = ({ ratings }: ReturnType<typeof answer>) =>
    ratings[sum ? "accuracy (0-10)" : "warmth (1-7)"]!;
  const prompt = sum ? `Can you add ${i} and ${i + 3}?` : `I had a long day, number ${i}. How was yours?`;
  const [better, worse] = [answer((i * 7) % 243), answer((i * 71 + 40) % 243)].sort(
    (a, b) => value(b) - value(a),
  );
  return { prompt, chosen: better!.text, rejected: worse!.text, margin: value(better!) - value(worse!) };
}).filter(({ margin }) => margin > 0);

// Records → embeddings.
await using embedder = await openEmbedder("tiny");
for (const [kind, rows] of Object.entries({ ratings, pairs })) {
  const file = join(folder, `${kind}.jsonl`);
  await writeFile(file, rows.map((row) => JSON.stringify(row)).join("\n"));
  const { rowsOut } = await embed(embedder.backbone, embedder.chat, {
    kind: kind as "ratings" | "pairs",
    data: [parseDataLocation(file)],
    out: join(folder, "embedded", kind),
    location: "tiny",
    chatSettings: embedder.chatSettings,
  });
  console.log(`${kind}: ${rowsOut} rows embedded`);
}

// Embeddings → model.
const report = await trainModel({
  ratings: [await openEmbeddingSet(join(folder, "embedded/ratings"))],
  pairs: [await openEmbeddingSet(join(folder, "embedded/pairs"))],
  objectives: names,
  debias: ["brevity (0-100)"],
  gating: { hiddenDim: 64, steps: 200, batchSize: 64 },
  out: join(folder, "model"),
  overwrite: true,
});
for (const { name, r2 } of report.objectives) console.log(`${name.padEnd(16)} R² ${r2.toFixed(2)}`);
console.log(`accuracy of the gate on held-out pairs: ${report.accuracy["trained gate"].toFixed(2)}`);

// Rewards are fractions of each scale; `ratings` has them back on it.
await using model = await openRewardModel(join(folder, "model"));
const prompt = { role: "user", content: "What is 1000 plus 24?" };
const answers = [
  "I have checked the result twice. Thank you for asking, and good luck! Please stay safe.",
  "I guess it is 99. Stop wasting my time. Just take what you like when nobody is looking.",
];
const scores = await model.score(answers.map((content) => [prompt, { role: "assistant", content }]));
for (const [i, { score, ratings }] of scores.entries()) {
  console.log(`\n${answers[i]}\n  score ${score.toFixed(3)}`);
  for (const [name, rating] of Object.entries(ratings))
    console.log(`  ${name.padEnd(16)} ${rating.toFixed(1)}`);
}
console.log(`\nthe model is ${join(folder, "model")}`);
