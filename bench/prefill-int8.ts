// One conversation through a decoder in int8, against llama.cpp on a file of the same shape in Q8_0.

import { availableParallelism } from "node:os";
import { join } from "node:path";
import { openBackbone } from "../src/backbone/backbone.ts";
import { type Claim, claim } from "./claim.ts";
import { startPeer } from "./live-peer.ts";
import { llamaCppFolder } from "./llama-cpp.ts";
import { SHAPES, writeRandomCheckpoint } from "./random-checkpoint.ts";
import { writeRandomGguf } from "./random-gguf.ts";
import { randomIds } from "./random-ids.ts";
import { medians, timed } from "./rounds.ts";
import { temporaryFolder } from "./temporary.ts";

// llama.cpp multiplies with its head in any case: with 1024 tokens in the vocabulary that is 1 % of its work.
const [TOKENS, LAYERS, VOCABULARY, ROUNDS] = [512, 4, 1024, 7];

export async function measurePrefillInt8(): Promise<Claim[]> {
  using folder = await temporaryFolder();
  process.env.ARMORM_CACHE = join(folder.path, "cache");
  const smaller = { layers: LAYERS, vocabulary: VOCABULARY };
  await writeRandomCheckpoint(folder.path, "llama-3.2-1b", smaller);
  const threads = availableParallelism();
  await using backbone = await openBackbone(folder.path, { dtype: "int8", threads });
  await using llama = await startLlama(folder.path, threads);

  const ids = randomIds(TOKENS, VOCABULARY);
  const [ours, peer] = await medians(ROUNDS, [timed(() => backbone.hiddenStates([{ ids }])), llama?.run]);
  const text = `prefill int8, ${TOKENS} tokens, Llama-3.2-1B widths, ${LAYERS} layers: ${llama?.version ?? "llama.cpp"}, Q8_0`;
  return [claim(text, ours! * 1000, llama && peer! * 1000, "ms", 2)];
}

async function startLlama(folder: string, threads: number) {
  const library = await llamaCppFolder(join(folder, "llama-cpp"));
  if (library === null) return null;
  const file = join(folder, "random.gguf");
  await writeRandomGguf(file, { ...SHAPES["llama-3.2-1b"], layers: LAYERS, vocabulary: VOCABULARY });
  return startPeer(process.execPath, "llama-cpp.mjs", [library, file, TOKENS, threads, VOCABULARY]);
}
