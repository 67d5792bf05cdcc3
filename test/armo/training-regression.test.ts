import { describe, expect, it } from "vitest";
import { fitRidge } from "../../src/armo/ridge.ts";
import { planLabels } from "../../src/armo/training-labels.ts";
import {
  fitObjectives,
  type RegressionOptions,
  stableObjectives,
} from "../../src/armo/training-regression.ts";
import { EmbeddingSet, type RatingsChunk } from "../../src/embedding/embedding-set.ts";
import type { EmbeddingManifest } from "../../src/embedding/manifest.ts";
import type { RowInfo } from "../../src/embedding/part.ts";
import { randomRows, relativeError } from "./random-rows.ts";

const [N, H, K] = [120, 5, 2];
const objectives = [
  { name: "kind", source: "mine", minimum: -4, maximum: 6 },
  { name: "true", source: "mine", minimum: -4, maximum: 6 },
];

/** Ratings in memory, two sources in turn. */
class RatedSet extends EmbeddingSet {
  readonly chunkRows: RowInfo[];
  readonly values: { embeddings: Float32Array; labels: Float32Array };

  constructor(values: { embeddings: Float32Array; labels: Float32Array }) {
    super("embedded/ratings", {
      objectives,
      backbone: { hiddenSize: H },
      rowsOut: N,
    } as unknown as EmbeddingManifest);
    this.values = values;
    this.chunkRows = Array.from({ length: N }, (_, row) => ({
      row: 1000 + row,
      id: null,
      source: row % 2 === 0 ? "first" : "second",
      subset: null,
      promptHash: String(row),
    }));
  }

  override async *ratings(): AsyncGenerator<RatingsChunk> {
    yield {
      rows: this.chunkRows,
      embeddings: this.values.embeddings.slice(),
      labels: this.values.labels.slice(),
      responseTokens: new Int32Array(N).fill(3),
    };
  }

  override async *rowInfos() {
    yield this.chunkRows;
  }
}

async function fitWith(regression: RegressionOptions, values = randomRows(N, H, K, 21)) {
  const set = new RatedSet(values);
  const plan = await planLabels([set], { names: ["kind", "true"] });
  const used = new Uint8Array(N).fill(1);
  used[3] = 0;
  const use = { keys: new BigUint64Array(N), used, test: 0, overlaps: 0, dropped: 0, remaining: 0 };
  const split = { fraction: 0.25, groups: Array.from({ length: N - 1 }, (_, i) => i) };
  const found = await fitObjectives({ ratings: [set], plan, use, split, regression });
  return { found, plan, values, split };
}

describe("the regression of a training run", () => {
  it("counts the ratings of a source as often as asked, those of others once", async () => {
    const { found, values, split } = await fitWith({ sourceWeights: { second: 3 } });
    const keep = Array.from({ length: N }, (_, i) => i).filter((i) => i !== 3);
    const direct = await fitRidge(
      {
        embeddings: Float32Array.from(
          keep.flatMap((i) => [...values.embeddings.subarray(i * H, (i + 1) * H)]),
        ),
        labels: Float64Array.from(keep.flatMap((i) => [...values.labels.subarray(i * K, (i + 1) * K)])).map(
          (y) => (y + 4) / 10,
        ),
        weights: keep.map((i) => (i % 2 === 0 ? 1 : 3)),
      },
      { hiddenSize: H, split },
    );
    expect(found).toEqual(direct);
    const { found: plain } = await fitWith({});
    expect(relativeError(found.weights, plain.weights)).toBeGreaterThan(1e-4);
  });

  it("puts an intercept into the scale, so that predicted ratings are those of reward and intercept", async () => {
    const { found, plan } = await fitWith({ intercept: true });
    const stable = stableObjectives(plan, found, H);
    for (const k of [0, 1]) {
      expect(Math.abs(found.intercepts[k]!)).toBeGreaterThan(0.1);
      const { multiply, add } = stable.objectives[k]!.scale!;
      expect(multiply).toBe(10);
      // rating = (reward + intercept) · 10 − 4
      expect(0.37 * multiply + add).toBeCloseTo((0.37 + found.intercepts[k]!) * 10 - 4, 12);
    }
    expect(stable.weights).toEqual(Float32Array.from(found.weights));
  });

  it("takes penalties by name, the default ones for objectives that are not named", async () => {
    const { found } = await fitWith({ alphas: { true: [7] } });
    expect(found.alphas[1]).toBe(7);
    expect(found.triedAlphas).toHaveLength(10);
    expect(found.validation.mseByAlpha.subarray(10).filter((error) => !Number.isNaN(error))).toHaveLength(1);
  });

  it("names the row of a set whose embedding is not finite", async () => {
    const values = randomRows(N, H, K, 21);
    values.embeddings[10 * H + 2] = Number.NaN;
    await expect(fitWith({}, values)).rejects.toMatchObject({
      code: "not-finite",
      message: "fitRidge: expected finite embeddings, got NaN or Infinity in embedded/ratings, row 1010",
    });
  });

  it("refuses sources and objectives that are not there", async () => {
    await expect(fitWith({ sourceWeights: { third: 2 } })).rejects.toMatchObject({
      code: "unknown-source",
      remedy: "there are first, second",
    });
    await expect(fitWith({ alphas: { wit: [1] } })).rejects.toMatchObject({ code: "unknown-objective" });
  });

  it("says what to do where no objective can be fitted", async () => {
    const values = { ...randomRows(N, H, K, 21), labels: new Float32Array(N * K).fill(Number.NaN) };
    const { found, plan } = await fitWith({}, values);
    expect(() => stableObjectives(plan, found, H)).toThrow("got kind: no-rows, true: no-rows");
  });
});
