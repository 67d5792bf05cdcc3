import { createRandom, type Random } from "../../random.ts";
import type { DemoData, DemoPair } from "./demo-data.ts";
import type { DemoTruth } from "./objectives.ts";

/** Legend: N examples, H hidden size, K objectives. Arrays are row-major float32. */
export interface ConstructedRatings {
  readonly embeddings: Float32Array; // [N, H]
  /** NaN = not rated. */
  readonly labels: Float32Array; // [N, K]
  readonly truth: Float32Array; // [N, K]
  readonly families: readonly string[];
  /** Prompt hashes, to split by prompt. */
  readonly groups: readonly string[];
}

export interface ConstructedPairs {
  /** Chosen, then rejected. */
  readonly embeddings: Float32Array; // [N, 2, H]
  readonly promptEmbeddings: Float32Array; // [N, H]
  readonly truth: Float32Array; // [N, 2, K]
  readonly families: readonly string[];
  readonly groups: readonly string[];
}

export interface ConstructedEmbeddings {
  readonly hiddenSize: number;
  readonly objectives: readonly string[];
  readonly ratings: ConstructedRatings;
  readonly pairs: ConstructedPairs;
  readonly evaluation: ConstructedPairs;
}

/**
 * Embeddings made from the demo's truth, as a perfect backbone might give them.
 *
 * An embedding is `truth · M + b + noise`: a random mixing `M [K, H]` and offset `b [H]` with standard normal entries,
 * so that each objective is linear in it (`H` > `K`). A prompt embedding is one of its family's two random centres plus
 * noise, so that families are clusters that no hyperplane need separate.
 *
 * @param options.noise Standard deviation of the noise per entry, ≥ 0. Default 0.1.
 * @throws {RangeError} `constructEmbeddings: hiddenSize must be a whole number > 6, got 4`
 */
export function constructEmbeddings(
  data: DemoData,
  options: { readonly hiddenSize: number; readonly noise?: number; readonly seed: number },
): ConstructedEmbeddings {
  const { hiddenSize, noise = 0.1, seed } = options;
  const { objectives, families } = data;
  if (!Number.isInteger(hiddenSize) || hiddenSize <= objectives.length) {
    throw new RangeError(
      `constructEmbeddings: hiddenSize must be a whole number > ${objectives.length}, got ${hiddenSize}`,
    );
  }
  if (!(noise >= 0)) throw new RangeError(`constructEmbeddings: noise must be ≥ 0, got ${noise}`);
  const space = createRandom(seed, "space");
  const mixing = objectives.map(() => normals(hiddenSize, space)); // [K, H]
  const offset = normals(hiddenSize, space); // [H]
  const centres = new Map(
    families.map((name) => [name, [normals(hiddenSize, space), normals(hiddenSize, space)]]),
  );

  const embed = (truth: DemoTruth, into: Float32Array, random: Random) => {
    for (let h = 0; h < hiddenSize; h++) into[h] = offset[h]! + noise * random.normal();
    objectives.forEach((objective, k) => {
      for (let h = 0; h < hiddenSize; h++) into[h]! += truth[objective] * mixing[k]![h]!;
    });
  };
  const embedPrompt = (family: string, into: Float32Array, random: Random) => {
    const centre = random.pick(centres.get(family)!);
    for (let h = 0; h < hiddenSize; h++) into[h] = centre[h]! + noise * random.normal();
  };
  const row = (array: Float32Array, index: number) =>
    array.subarray(index * hiddenSize, (index + 1) * hiddenSize);
  const truthOf = (truths: readonly DemoTruth[]) =>
    Float32Array.from(truths.flatMap((truth) => objectives.map((objective) => truth[objective])));

  const constructPairs = (pairs: readonly DemoPair[], random: Random): ConstructedPairs => {
    const embeddings = new Float32Array(pairs.length * 2 * hiddenSize);
    const promptEmbeddings = new Float32Array(pairs.length * hiddenSize);
    pairs.forEach(({ family, truth }, index) => {
      embed(truth.chosen, row(embeddings, 2 * index), random);
      embed(truth.rejected, row(embeddings, 2 * index + 1), random);
      embedPrompt(family, row(promptEmbeddings, index), random);
    });
    return {
      embeddings,
      promptEmbeddings,
      truth: truthOf(pairs.flatMap(({ truth }) => [truth.chosen, truth.rejected])),
      families: pairs.map(({ family }) => family),
      groups: pairs.map(({ promptHash }) => promptHash),
    };
  };

  const random = createRandom(seed, "ratings");
  const embeddings = new Float32Array(data.ratings.length * hiddenSize);
  data.ratings.forEach(({ truth }, index) => {
    embed(truth, row(embeddings, index), random);
  });
  const labels = data.ratings.flatMap(({ ratings }) =>
    objectives.map((objective) => ratings[objective] ?? Number.NaN),
  );
  return {
    hiddenSize,
    objectives,
    ratings: {
      embeddings,
      labels: Float32Array.from(labels),
      truth: truthOf(data.ratings.map(({ truth }) => truth)),
      families: data.ratings.map(({ family }) => family),
      groups: data.ratings.map(({ promptHash }) => promptHash),
    },
    pairs: constructPairs(data.pairs, createRandom(seed, "pairs")),
    evaluation: constructPairs(data.evaluation, createRandom(seed, "evaluation")),
  };
}

function normals(length: number, random: Random): Float32Array {
  return Float32Array.from({ length }, () => random.normal());
}
