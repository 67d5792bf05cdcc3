import { hashTensors, type Scorer } from "../scoring/scorer.ts";
import { type Heads, headsToTensors } from "./heads.ts";
import { runGate, scoreEmbedding } from "./score.ts";

/** The heads as what every reward model has between its backbone and a score. */
export function armoScorer(heads: Heads): Scorer {
  const { objectives, hiddenSize, marginScale, transform, gate } = heads;
  return {
    objectives,
    hiddenSize,
    marginScale,
    transform: Array.from(transform),
    gated: true,
    forPrompt(promptEmbedding) {
      const gatingOutput = runGate(gate, promptEmbedding);
      return (embedding) => scoreEmbedding(heads, embedding, gatingOutput);
    },
    identity: () => ({
      heads: hashTensors(headsToTensors(heads)),
      objectives,
      temperature: gate.temperature,
    }),
  };
}
