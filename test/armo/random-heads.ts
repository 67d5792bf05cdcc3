import { armoScorer } from "../../src/armo/armo-scorer.ts";
import type { Heads } from "../../src/armo/heads.ts";
import type { ArmoDirectory } from "../../src/armo/model-directory.ts";
import { createRandom } from "../../src/random.ts";

/** Heads whose numbers are noise, which bf16 cannot hold; or zeros, for large sizes. */
export function randomHeads(
  hiddenSize: number,
  { K = 3, hidden = [8, 8], zeros = false }: { K?: number; hidden?: readonly number[]; zeros?: boolean } = {},
): Heads {
  const random = createRandom(1);
  const noise = (length: number, scale: number) =>
    zeros ? new Float32Array(length) : Float32Array.from({ length }, () => random.normal() * scale);
  const widths = [hiddenSize, ...hidden, K];
  return {
    objectives: Array.from({ length: K }, (_, k) =>
      k === 0
        ? { name: "kindness", source: "mine", scale: { multiply: 4, add: 1 } }
        : { name: `objective ${k} "ü"` },
    ),
    hiddenSize,
    regression: noise(K * hiddenSize, hiddenSize ** -0.5),
    transform: noise(K * K, K ** -0.5),
    gate: {
      layers: widths.slice(1).map((outputs, i) => {
        const inputs = widths[i]!;
        const weight = noise(outputs * inputs, inputs ** -0.5);
        return { weight, bias: noise(outputs, 1), inputs, outputs };
      }),
      temperature: 3,
      logitScale: Math.fround(1.7),
    },
    marginScale: 12.3,
  };
}

/** A model over a backbone as it would stand in a model directory. */
export const overBackbone = (backbone: string, heads: Heads): ArmoDirectory => ({
  kind: "armorm",
  location: backbone,
  heads,
  scorer: armoScorer(heads),
  backbone: { location: backbone, fingerprint: null },
  chat: null,
  trainingPrompts: null,
  trainedOn: null,
});
