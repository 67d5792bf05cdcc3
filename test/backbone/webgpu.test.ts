// Runs where WebGPU starts: on a GPU, or on SwiftShader (docs/backbones.md says how).

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { openBackbone } from "../../src/backbone/backbone.ts";
import { readSafetensors, toFloat32 } from "../../src/checkpoint/safetensors.ts";
import { startDevice } from "../../src/engine/devices.ts";

const golden = fileURLToPath(new URL("../golden/backbones/", import.meta.url));
const starts = await startDevice("webgpu").then(
  () => true,
  () => false,
);

test.skipIf(!starts).each(["llama-causal-f32", "gemma2-causal-bf16-tied", "mistral-causal-f16-sharded"])(
  "WebGPU computes the golden values of %s in f32 (skipped where WebGPU does not start)",
  async (name) => {
    const { cases, suggested_tolerance } = JSON.parse(readFileSync(`${golden}${name}/expected.json`, "utf8"));
    const { atol, rtol } = suggested_tolerance;
    const tensors = await readSafetensors(`${golden}${name}/expected.safetensors`);
    await using backbone = await openBackbone(`${golden}${name}`, { device: "webgpu", dtype: "f32" });
    const ids = cases.map(({ input_ids }: { input_ids: number[] }) => ({ ids: input_ids }));
    const states = await backbone.hiddenStates(ids);
    cases.forEach(({ hidden }: { hidden: string }, i: number) => {
      toFloat32(tensors.get(hidden)!).forEach((want, j) => {
        const error = Math.abs(states[i]![j]! - want);
        if (!(error <= atol + rtol * Math.abs(want))) expect.fail(`value ${j} of ${hidden}: ${error} off`);
      });
    });
  },
);
