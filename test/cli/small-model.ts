import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Heads, headsToTensors } from "../../src/armo/heads.ts";
import { openChat } from "../../src/chat/chat.ts";
import { openCheckpoint } from "../../src/checkpoint/checkpoint.ts";
import { EMBEDDED_DIRECTORY } from "../../src/checkpoint/location.ts";
import { writeSafetensors } from "../../src/checkpoint/safetensors-writer.ts";
import { createRandom } from "../../src/random.ts";

/** Writes a model directory on the built-in backbone whose heads are noise: scores that differ, and nothing to train. */
export async function writeSmallModel(
  directory: string,
  seed = 1,
  transform = [1, 0, 0, 0, 1, 0, 0, 0, 1],
): Promise<void> {
  const [H, K] = [256, 3];
  const random = createRandom(seed);
  const noise = (length: number) => Float32Array.from({ length }, () => random.normal() / 16);
  const objectives = [
    { name: "kind", source: "mine", scale: { multiply: 4, add: 1 } },
    { name: "true" },
    { name: "length" },
  ];
  const heads: Heads = {
    objectives,
    hiddenSize: H,
    regression: noise(K * H),
    transform: Float32Array.from(transform),
    gate: {
      layers: [{ weight: noise(K * H), bias: noise(K), inputs: H, outputs: K }],
      temperature: 10,
      logitScale: 1,
    },
    marginScale: 5,
  };
  const backbone = EMBEDDED_DIRECTORY;
  const { fingerprint } = await openCheckpoint(backbone);
  const chat = await openChat(backbone);
  const config = {
    model_type: "armorm",
    hidden_size: H,
    gating_temperature: 10,
    objectives,
    backbone: { location: "tiny", fingerprint },
    chat: {
      fingerprint: chat.fingerprint,
      bos: chat.bos,
      specialTokens: "text",
      chatTemplate: null,
      gatingPattern: null,
    },
  };
  mkdirSync(directory);
  await writeSafetensors(join(directory, "model.safetensors"), headsToTensors(heads));
  const none = { dtype: "U64", shape: [0], data: new BigUint64Array(0) } as const;
  await writeSafetensors(join(directory, "training-prompts.safetensors"), new Map([["prompt_keys", none]]));
  writeFileSync(join(directory, "config.json"), JSON.stringify(config));
}
