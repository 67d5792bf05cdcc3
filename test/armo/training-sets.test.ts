import { expect, test } from "vitest";
import { type TrainOptions, trainArmo } from "../../src/armo/train.ts";
import { EmbeddingSet } from "../../src/embedding/embedding-set.ts";
import type { EmbeddingKind, EmbeddingManifest } from "../../src/embedding/manifest.ts";

/** A set of which only the kind is looked at. */
const setOf = (kind: EmbeddingKind) => new EmbeddingSet(`my-${kind}`, { kind } as EmbeddingManifest);
const [ratings, pairs, bestOfN] = [[setOf("ratings")], [setOf("pairs")], [setOf("best-of-n")]];

test("best-of-N sets are for evaluation: training refuses them in every place, by name", async () => {
  const wrong: [sets: Pick<TrainOptions, "ratings" | "pairs" | "reference">, error: string][] = [
    [{ ratings: bestOfN, pairs }, "my-best-of-n: expected embedded ratings, got best-of-n"],
    [{ ratings, pairs: bestOfN }, "my-best-of-n: expected embedded pairs, got best-of-n"],
    [
      { ratings, pairs, reference: bestOfN },
      "my-best-of-n: expected embedded ratings or pairs, got best-of-n",
    ],
  ];
  for (const [sets, error] of wrong) await expect(trainArmo(sets)).rejects.toThrow(error);
});
