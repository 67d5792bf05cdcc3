import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type * as Native from "onnxruntime-node";
import * as web from "onnxruntime-web";
import { expect, test } from "vitest";
import { armoScorer } from "../../src/armo/armo-scorer.ts";
import { writeHeadsFile } from "../../src/armo/heads-file.ts";
import { encodeHeads, HEAD_INPUTS, HEAD_OUTPUTS } from "../../src/armo/heads-graph.ts";
import type { ArmoDirectory } from "../../src/armo/model-directory.ts";
import { ort as native } from "../../src/engine/runtime.ts";
import { openModelDirectory } from "../../src/opening/open-model-directory.ts";
import { createRandom } from "../../src/random.ts";
import type { ScoreParts } from "../../src/scoring/score-parts.ts";
import { randomHeads } from "./random-heads.ts";

const EPSILON = 2 ** -23;

/** Strings of a protobuf message's length-delimited fields: enough to look into `metadata_props` and the opsets. */
function* fields(bytes: Uint8Array): Generator<{ field: number; value: number | Uint8Array }> {
  let at = 0;
  const varint = (): number => {
    let [value, shift] = [0, 1];
    for (;;) {
      const byte = bytes[at++]!;
      value += (byte & 0x7f) * shift;
      if (byte < 0x80) return value;
      shift *= 128;
    }
  };
  while (at < bytes.length) {
    const key = varint();
    const [field, wire] = [Math.floor(key / 8), key % 8];
    if (wire === 0) yield { field, value: varint() };
    else if (wire === 2) {
      const length = varint();
      yield { field, value: bytes.subarray(at, at + length) };
      at += length;
    } else throw new Error(`wire type ${wire}`);
  }
}

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

const SHAPES = [
  { name: "the published sizes but narrower", H: 512, K: 19, hidden: [128, 128, 128], N: 5 },
  { name: "a gate without hidden layers", H: 64, K: 3, hidden: [], N: 2 },
  { name: "a single objective and a single response", H: 32, K: 1, hidden: [8], N: 1 },
];

test.each(
  [
    { runtime: "onnxruntime-node", ort: native, options: { executionProviders: ["cpu"] } },
    { runtime: "onnxruntime-web, wasm", ort: web, options: { executionProviders: ["wasm"] } },
  ].flatMap((runtime) => SHAPES.map((shape) => ({ ...runtime, ...shape }))),
)(
  "$name in $runtime: what the TypeScript forward pass gives, within f32 rounding",
  async ({ ort, options, H, K, hidden, N }) => {
    const random = createRandom(7);
    const heads = randomHeads(H, { K, hidden });
    const noise = () => Float32Array.from({ length: N * H }, () => random.normal());
    const [embedding, promptEmbedding] = [noise(), noise()];
    const session = await (ort as typeof Native).InferenceSession.create(encodeHeads(heads), options);
    expect(session.inputNames).toEqual([...HEAD_INPUTS]);
    expect([...session.outputNames].sort()).toEqual([...HEAD_OUTPUTS].sort());
    const results = await session.run({
      embedding: new ort.Tensor("float32", embedding, [N, H]) as Native.Tensor,
      prompt_embedding: new ort.Tensor("float32", promptEmbedding, [N, H]) as Native.Tensor,
    });
    await session.release();

    const scorer = armoScorer(heads);
    const expected = Array.from({ length: N }, (_, n): ScoreParts => {
      const row = (values: Float32Array) => values.subarray(n * H, (n + 1) * H);
      return scorer.forPrompt(row(promptEmbedding))(row(embedding));
    });
    const compare = (name: (typeof HEAD_OUTPUTS)[number], wanted: number[], tolerance: number) => {
      const { data, dims } = results[name]!;
      expect(dims).toEqual(name === "score" ? [N] : [N, K]);
      for (const [i, value] of (data as Float32Array).entries()) {
        expect(Math.abs(value - wanted[i]!), `${name}[${i}]`).toBeLessThanOrEqual(tolerance);
      }
    };
    // Rewards are sums of H products of numbers about 1 and H^-1/2: the bound for f32 sums in any order is H · ε · Σ|w·x|, and
    // errors that are not all of one sign grow with its root. The gate's three layers add theirs, divided by the temperature.
    const tolerance = 4 * Math.sqrt(H) * EPSILON;
    compare(
      "rewards",
      expected.flatMap(({ rewards }) => [...rewards]),
      tolerance * 4,
    );
    compare(
      "adjusted_rewards",
      expected.flatMap(({ adjustedRewards }) => [...adjustedRewards]),
      tolerance * 8,
    );
    compare(
      "gating_output",
      expected.flatMap(({ gatingOutput }) => [...gatingOutput]),
      tolerance,
    );
    compare(
      "coefficients",
      expected.flatMap(({ coefficients }) => [...coefficients]),
      tolerance * 2,
    );
    compare(
      "contributions",
      expected.flatMap(({ contributions }) => [...contributions]),
      tolerance * 8,
    );
    compare(
      "score",
      expected.map(({ score }) => score),
      tolerance * 8,
    );
  },
);

test("a score alone is the one among others, within rounding", async () => {
  const random = createRandom(3);
  const heads = randomHeads(96, { K: 5, hidden: [24] });
  const rows = [0, 1, 2].map(() => Float32Array.from({ length: 96 }, () => random.normal()));
  const session = await web.InferenceSession.create(encodeHeads(heads), { executionProviders: ["wasm"] });
  const run = async (list: readonly Float32Array[]) => {
    const tensor = new web.Tensor("float32", Float32Array.from(list.flatMap((row) => [...row])), [
      list.length,
      96,
    ]);
    const { score } = await session.run({ embedding: tensor, prompt_embedding: tensor });
    return [...(score!.data as Float32Array)];
  };
  const together = await run(rows);
  for (const [i, row] of rows.entries())
    expect(Math.abs((await run([row]))[0]! - together[i]!)).toBeLessThan(1e-6);
});

test("holds names, scales and the margin scale as metadata, and standard operators alone", () => {
  const heads = randomHeads(32, { hidden: [4] });
  const objectives = [
    { name: "kind", source: "mine", scale: { multiply: 4, add: 1 } },
    { name: "ü" },
    { name: "c" },
  ];
  const model = [...fields(encodeHeads({ ...heads, objectives }, { backbone_licence: "llama3" }))];
  const message = (number: number) =>
    model.filter(({ field }) => field === number).map(({ value }) => [...fields(value as Uint8Array)]);
  const metadata = Object.fromEntries(
    message(14).map(([key, value]) => [text(key!.value as Uint8Array), text(value!.value as Uint8Array)]),
  );
  expect(JSON.parse(metadata.objectives!)).toEqual(objectives);
  expect(metadata).toMatchObject({ margin_scale: "12.3", backbone_licence: "llama3" });
  // ir_version and opset_import: one entry, of the standard domain.
  expect(model.find(({ field }) => field === 1)!.value).toBe(8);
  expect(message(8)).toHaveLength(1);
  expect(message(8)[0]!.at(-1)).toEqual({ field: 2, value: 17 });
  const [graph] = message(7);
  const nodes = graph!
    .filter(({ field }) => field === 1)
    .map(({ value }) => [...fields(value as Uint8Array)]);
  const operators = nodes.map((node) => text(node.find(({ field }) => field === 4)!.value as Uint8Array));
  expect([...new Set(operators)].sort()).toEqual(
    ["Div", "Gemm", "Identity", "Mul", "ReduceSum", "Relu", "Softmax"].sort(),
  );
  expect(nodes.flat().some(({ field }) => field === 7)).toBe(false);
});

test("a file of heads names its backbone, not where that lies on this machine, and its licence", async () => {
  const directory = join(import.meta.dirname, "../golden/armorm/armorm-f32");
  const out = mkdtempSync(join(tmpdir(), "armorm-heads-"));
  try {
    const file = join(out, "heads.onnx");
    const model = (await openModelDirectory(directory)) as ArmoDirectory;
    const { bytes, objectives } = await writeHeadsFile(model, file);
    const written = readFileSync(file);
    expect([written.length, objectives]).toEqual([bytes, 19]);
    expect(written.includes("armorm-f32")).toBe(true);
    expect(written.includes(dirname(directory))).toBe(false);
    expect(written.includes(model.backbone.fingerprint!)).toBe(true);
    await expect(writeHeadsFile(model, file)).rejects.toMatchObject({ code: "output-exists" });
  } finally {
    rmSync(out, { recursive: true });
  }
});
