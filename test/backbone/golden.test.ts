import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Backbone, openBackbone } from "../../src/backbone/backbone.ts";
import { readSafetensors, type Tensor, toFloat32 } from "../../src/checkpoint/safetensors.ts";

// Expected values: float64 references, see test/golden/README.md; tiny-hidden.json comes with models/tiny.
const goldenFolder = fileURLToPath(new URL("../golden/", import.meta.url));
const tinyFolder = fileURLToPath(new URL("../../models/tiny", import.meta.url));

interface Expected {
  kind: string;
  suggested_tolerance: { atol: number; rtol: number };
  cases: { input_ids: number[]; hidden: string; score?: number[]; last_logits?: string }[];
}

/** Largest |got − want| as a share of atol + rtol·|want|: at most 1 where all values agree. */
function worstShare(got: ArrayLike<number>, want: ArrayLike<number>, atol: number, rtol: number): number {
  expect(got.length).toBe(want.length);
  let worst = 0;
  for (let i = 0; i < want.length; i++) {
    const share = Math.abs(got[i]! - want[i]!) / (atol + rtol * Math.abs(want[i]!));
    worst = Math.max(worst, share); // NaN stays NaN, and fails.
  }
  return worst;
}

const names = readdirSync(`${goldenFolder}backbones`);

test("there are golden values for every family", () => {
  const families = names.map((name) => name.split("-")[0]);
  expect(new Set(families)).toEqual(
    new Set(["llama", "llama31", "mistral", "qwen2", "qwen3", "gemma", "gemma2", "phi3"]),
  );
});

describe.each(names)("%s", (name) => {
  const folder = `${goldenFolder}backbones/${name}`;
  const { kind, cases, suggested_tolerance } = JSON.parse(
    readFileSync(`${folder}/expected.json`, "utf8"),
  ) as Expected;
  const { atol, rtol } = suggested_tolerance;
  const requests = cases.map(({ input_ids }) => ({ ids: input_ids }));
  let backbone: Backbone;
  let expected: Float32Array[];
  let tensors: Map<string, Tensor>;

  beforeAll(async () => {
    backbone = await openBackbone(folder);
    tensors = await readSafetensors(`${folder}/expected.safetensors`);
    expected = cases.map(({ hidden }) => toFloat32(tensors.get(hidden)!));
  });
  afterAll(() => backbone.close());

  test("every position of every sequence alone is as expected", async () => {
    for (const [i, request] of requests.entries()) {
      const [rows] = await backbone.hiddenStates([request]);
      expect(worstShare(rows!, expected[i]!, atol, rtol)).toBeLessThanOrEqual(1);
    }
  });

  test("every position in one batch is as expected", async () => {
    const all = await backbone.hiddenStates(requests);
    all.forEach((rows, i) => {
      expect(worstShare(rows, expected[i]!, atol, rtol)).toBeLessThanOrEqual(1);
    });
  });

  test("requested positions are the rows of all positions, in the order asked for", async () => {
    const H = backbone.hiddenSize;
    const [rows] = await backbone.hiddenStates([{ ids: cases[3]!.input_ids, positions: [32, 0, 7, 7] }]);
    const want = [32, 0, 7, 7].flatMap((p) => [...expected[3]!.subarray(p * H, (p + 1) * H)]);
    expect(worstShare(rows!, want, atol, rtol)).toBeLessThanOrEqual(1);
  });

  if (kind === "score") {
    test("a scalar head on the last row gives the expected scores, and there are no next tokens", async () => {
      const head = toFloat32((await readSafetensors(`${folder}/model.safetensors`)).get("score.weight")!);
      const rows = await backbone.hiddenStates(
        requests.map(({ ids }) => ({ ids, positions: [ids.length - 1] })),
      );
      rows.forEach((row, i) => {
        const score = row.reduce((sum, x, j) => sum + x * head[j]!, 0);
        expect(worstShare([score], cases[i]!.score!, atol, rtol)).toBeLessThanOrEqual(1);
      });
      const call = backbone.nextTokenLogits([{ ids: [1], tokenIds: [1] }]);
      await expect(call).rejects.toMatchObject({ code: "no-output-head" });
    });
  } else {
    test("the logits of every token after the last are as expected", async () => {
      const tokenIds = Array.from({ length: backbone.vocabSize }, (_, id) => id);
      const logits = await backbone.nextTokenLogits(requests.map((request) => ({ ...request, tokenIds })));
      cases.forEach(({ last_logits }, i) => {
        const want = toFloat32(tensors.get(last_logits!)!);
        expect(worstShare(logits[i]!, want, atol, rtol)).toBeLessThanOrEqual(1);
      });
    });
  }
});

test("the embedded model's last hidden states are those of its model card's run", async () => {
  const conversations = JSON.parse(readFileSync(`${goldenFolder}tiny-hidden.json`, "utf8")) as {
    ids: number[];
    last_hidden: number[];
  }[];
  await using backbone = await openBackbone(tinyFolder);
  const rows = await backbone.hiddenStates(
    conversations.map(({ ids }) => ({ ids, positions: [ids.length - 1] })),
  );
  rows.forEach((row, i) => {
    expect(worstShare(row, conversations[i]!.last_hidden, 1e-4, 1e-4)).toBeLessThanOrEqual(1);
  });
});
