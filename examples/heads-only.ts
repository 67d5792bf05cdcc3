// The three steps on embeddings of one's own: no backbone, no files, only arrays.
//
//     npx tsx examples/heads-only.ts
//
// N rows, H hidden size, K objectives. Here the embeddings are made up, from qualities that are known.

import { fitRewardTransform, fitRidge, type Heads, runGate, scoreEmbedding, trainGating } from "armorm";

const objectives = [{ name: "correct" }, { name: "kind" }, { name: "length" }];
const [H, K, N] = [24, objectives.length, 1000];
let state = 1;
const random = () => {
  state = (state * 48271) % 2147483647;
  return state / 2147483647 - 0.5;
};
const directions = Array.from({ length: K * H }, random);

/** Qualities `[K]` as an embedding `[H]`. */
const embeddingOf = (qualities: number[]) =>
  Float32Array.from({ length: H }, (_, h) =>
    qualities.reduce((sum, q, k) => sum + q * directions[k * H + h]!, 0),
  );
/** What raters see: the longer an answer, the better they find it. */
const drawQualities = () => {
  const length = random();
  return [random() + length, random() + length, length];
};
const concat = (rows: Float32Array[]) => Float32Array.from(rows.flatMap((row) => [...row]));

// 1. One ridge regression per objective, from rated answers; NaN = not rated.
const rated = Array.from({ length: N }, drawQualities);
const { weights } = await fitRidge(
  {
    embeddings: concat(rated.map(embeddingOf)),
    labels: Float32Array.from(
      rated.flatMap((row) => row.map((q) => (random() < -0.3 ? Number.NaN : q + 0.2 * random()))),
    ),
  },
  { hiddenSize: H },
);
const rewardsOf = (x: Float32Array) =>
  objectives.map((_, k) => x.reduce((sum, value, h) => sum + value * weights[k * H + h]!, 0));

// 2. Preferences, where length does not count: a prompt that asks for facts wants the correct answer, others the kind one.
const drawPair = () => {
  const facts = random() > 0;
  const prompt = Float32Array.from({ length: H }, (_, h) => (h === 0 && facts ? 1 : 0) + 0.2 * random());
  const value = ([correct, kind, length]: number[]) => (facts ? correct! : kind!) - length!;
  const [chosen, rejected] = [drawQualities(), drawQualities()].sort((a, b) => value(b) - value(a)) as [
    number[],
    number[],
  ];
  return { prompt, chosen: embeddingOf(chosen), rejected: embeddingOf(rejected) };
};
const pairs = Array.from({ length: N }, drawPair);
const chosen = Float32Array.from(pairs.flatMap((pair) => rewardsOf(pair.chosen))); // [N, K]
const rejected = Float32Array.from(pairs.flatMap((pair) => rewardsOf(pair.rejected))); // [N, K]

// 3. The pull of length is taken out of the rewards, and the gate learns which objective counts for which prompt.
const { transform, correlationsBefore, correlationsAfter } = fitRewardTransform([...chosen, ...rejected], {
  numObjectives: K,
  targets: [2],
});
const { gate, marginScale, history } = await trainGating(
  { promptEmbeddings: concat(pairs.map(({ prompt }) => prompt)), chosen, rejected },
  {
    hiddenSize: H,
    numObjectives: K,
    transform,
    hiddenDim: 32,
    hiddenLayers: 1,
    steps: 500,
    batchSize: 128,
    learningRate: 1e-2,
  },
);
const heads: Heads = {
  objectives,
  hiddenSize: H,
  regression: Float32Array.from(weights),
  transform: Float32Array.from(transform),
  gate,
  marginScale,
};

for (const [k, { name }] of objectives.slice(0, 2).entries()) {
  const [before, after] = [correlationsBefore, correlationsAfter].map((values) => values[k]!.toFixed(2));
  console.log(`${name}: correlation with length ${before} → ${after}`);
}
console.log(`loss ${history.loss[0]!.toFixed(3)} → ${history.loss.at(-1)!.toFixed(3)}`);
const unseen = Array.from({ length: 500 }, drawPair);
const right = unseen.filter(({ prompt, chosen, rejected }) => {
  const gatingOutput = runGate(gate, prompt);
  return (
    scoreEmbedding(heads, chosen, gatingOutput).score > scoreEmbedding(heads, rejected, gatingOutput).score
  );
});
console.log(`accuracy on ${unseen.length} unseen pairs: ${(right.length / unseen.length).toFixed(3)}`);
for (const [kind, first] of [
  ["facts", 1],
  ["talk", 0],
] as const) {
  const gatingOutput = runGate(
    gate,
    Float32Array.from({ length: H }, (_, h) => (h === 0 ? first : 0)),
  );
  const weightOf = objectives.map(({ name }, k) => `${name} ${gatingOutput[k]!.toFixed(2)}`);
  console.log(`a prompt that asks for ${kind} weighs ${weightOf.join(", ")}`);
}
