// One conversation through a decoder in f32, against the same decoder in PyTorch modules.

import { availableParallelism } from "node:os";
import { openBackbone } from "../src/backbone/backbone.ts";
import { type Claim, claim } from "./claim.ts";
import { startPythonPeer } from "./live-peer.ts";
import { SHAPES, writeRandomCheckpoint } from "./random-checkpoint.ts";
import { randomIds } from "./random-ids.ts";
import { medians, timed } from "./rounds.ts";
import { temporaryFolder } from "./temporary.ts";

const [TOKENS, LAYERS, VOCABULARY, ROUNDS] = [512, 2, 1024, 5];

export async function measurePrefillF32(): Promise<Claim[]> {
  using folder = await temporaryFolder();
  await writeRandomCheckpoint(folder.path, "llama-3.2-1b", {
    layers: LAYERS,
    vocabulary: VOCABULARY,
    dtype: "F32",
  });
  const threads = availableParallelism();
  await using backbone = await openBackbone(folder.path, { dtype: "f32", threads });
  const shape = { ...SHAPES["llama-3.2-1b"], layers: LAYERS, vocabulary: VOCABULARY };
  await using torch = await startPythonPeer("prefill.py", "torch", [JSON.stringify(shape), TOKENS, threads]);

  const ids = randomIds(TOKENS, VOCABULARY);
  const [ours, peer] = await medians(ROUNDS, [timed(() => backbone.hiddenStates([{ ids }])), torch?.run]);
  const text = `prefill f32, ${TOKENS} tokens, Llama-3.2-1B widths, ${LAYERS} layers: ${torch?.version ?? "PyTorch"}`;
  return [claim(text, ours! * 1000, torch && peer! * 1000, "ms", 1.3)];
}
