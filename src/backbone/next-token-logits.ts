// Logits of a few tokens: those rows of the output head, times hidden states.
//
// P positions, N token ids, H hidden size.

import { readTensorRows, type TensorRange, toFloat32 } from "../checkpoint/safetensors.ts";
import { InputError } from "../errors.ts";
import type { Backbone, HiddenStatesOptions, NextTokenLogitsRequest } from "./backbone.ts";
import type { Decoder } from "./decoder.ts";

/** See `Backbone.nextTokenLogits`. */
export async function nextTokenLogits(
  backbone: Backbone,
  { outputHead, outputSoftcap, vocabSize, hiddenSize: H }: Decoder,
  requests: readonly NextTokenLogitsRequest[],
  options?: HiddenStatesOptions,
): Promise<Float32Array[]> {
  if (outputHead === null) {
    throw new InputError(
      "no-output-head",
      "nextTokenLogits: expected a causal checkpoint with an output head, got one without",
      "use the causal language model (…ForCausalLM) that the checkpoint was made from",
    );
  }
  for (const id of requests.flatMap(({ tokenIds }) => tokenIds)) {
    if (!Number.isInteger(id) || id < 0 || id >= vocabSize) {
      throw new RangeError(
        `nextTokenLogits: tokenIds must be integers from 0 to ${vocabSize - 1}, got ${id}`,
      );
    }
  }
  const states = await backbone.hiddenStates(
    requests.map(({ ids, positions = [ids.length - 1] }) => ({ ids, positions })),
    options,
  );
  const rowOf = await headRows(outputHead, new Set(requests.flatMap(({ tokenIds }) => tokenIds)));
  return requests.map(({ tokenIds }, r) => {
    const P = states[r]!.length / H;
    const N = tokenIds.length;
    const logits = new Float32Array(P * N);
    for (let p = 0; p < P; p++) {
      const state = states[r]!.subarray(p * H, (p + 1) * H);
      tokenIds.forEach((id, n) => {
        logits[p * N + n] = softcap(dot(state, rowOf.get(id)!), outputSoftcap);
      });
    }
    return logits;
  });
}

/** Rows `[H]` of the head by token id; neighbouring ones are read together. */
async function headRows(head: TensorRange, ids: ReadonlySet<number>): Promise<Map<number, Float32Array>> {
  const rows = new Map<number, Float32Array>();
  const sorted = [...ids].sort((a, b) => a - b);
  for (let from = 0; from < sorted.length; ) {
    let to = from + 1;
    while (to < sorted.length && sorted[to] === sorted[to - 1]! + 1) to += 1;
    const first = sorted[from]!;
    const tensor = await readTensorRows(head, first, first + to - from);
    const values = toFloat32(tensor);
    const H = tensor.shape[1]!;
    for (let i = 0; i < to - from; i++) rows.set(first + i, values.subarray(i * H, (i + 1) * H));
    from = to;
  }
  return rows;
}

function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

const softcap = (logit: number, cap: number | null): number =>
  cap === null ? logit : cap * Math.tanh(logit / cap);
