import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { openBackbone } from "../../src/backbone/backbone.ts";
import { readSafetensors, toFloat32 } from "../../src/checkpoint/safetensors.ts";

const folder = fileURLToPath(new URL("../golden/backbones/gemma2-causal-bf16-tied", import.meta.url));
const ids = [17, 151, 3, 40, 8];

test("chosen tokens at chosen positions, in the order asked for, are the capped products with the head's rows", async () => {
  await using backbone = await openBackbone(folder);
  const H = backbone.hiddenSize;
  const positions = [4, 0, 4];
  const tokenIds = [319, 5, 6, 5];
  const [logits] = await backbone.nextTokenLogits([{ ids, positions, tokenIds }]);
  const [states] = await backbone.hiddenStates([{ ids, positions }]);
  const head = toFloat32(
    (await readSafetensors(`${folder}/model.safetensors`)).get("model.embed_tokens.weight")!,
  );
  const want = positions.flatMap((_, p) =>
    tokenIds.map((id) => {
      const logit = Array.from({ length: H }, (_, h) => states![p * H + h]! * head[id * H + h]!);
      return 4 * Math.tanh(logit.reduce((sum, x) => sum + x, 0) / 4); // final_logit_softcapping 4
    }),
  );
  expect(logits).toHaveLength(12);
  logits!.forEach((logit, i) => {
    expect(logit).toBeCloseTo(want[i]!, 5);
  });
});

test("the last position is the default, and the bits are those of the request alone", async () => {
  await using backbone = await openBackbone(folder);
  const requests = [ids, ids.slice(0, 3), [9, 9]].map((each) => ({ ids: each, tokenIds: [1, 2] }));
  const together = await backbone.nextTokenLogits(requests);
  for (const [i, request] of requests.entries()) {
    const [alone] = await backbone.nextTokenLogits([{ ...request, positions: [request.ids.length - 1] }]);
    expect(together[i]).toEqual(alone);
  }
});

test("a token outside the vocabulary is out of range before anything is computed", async () => {
  await using backbone = await openBackbone(folder);
  const call = backbone.nextTokenLogits([{ ids, tokenIds: [320] }]);
  await expect(call).rejects.toThrow("integers from 0 to 319, got 320");
  await expect(call).rejects.toThrow(RangeError);
});
