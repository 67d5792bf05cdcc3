// What embedding costs beside the backbone: reading, tokenizing and writing go on while it computes, so that nearly all of the time is
// the backbone's.

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseDataLocation } from "../src/data/location.ts";
import { embed } from "../src/embedding/embed.ts";
import type { EmbedTiming } from "../src/embedding/embed-timing.ts";
import { openEmbedder } from "../src/embedding/embedder.ts";
import { createRandom } from "../src/random.ts";
import { type Claim, claim } from "./claim.ts";
import { writeRandomCheckpoint } from "./random-checkpoint.ts";
import { temporaryFolder } from "./temporary.ts";

const [PAIRS, PART_ROWS, VOCABULARY] = [60, 15, 4096];
const WORDS = "the river runs past an old mill and nobody asked why its wheel still turns at night".split(
  " ",
);

export async function measureEmbedding(): Promise<Claim[]> {
  using folder = await temporaryFolder();
  const checkpoint = join(folder.path, "checkpoint");
  // An embedding is looked up, whatever its size: the other 0.36 B parameters are what computes.
  await writeRandomCheckpoint(checkpoint, "qwen-2.5-0.5b", { vocabulary: VOCABULARY });
  const data = join(folder.path, "pairs.jsonl");
  await writeFile(
    data,
    pairs()
      .map((row) => JSON.stringify(row))
      .join("\n"),
  );
  const { seconds, backboneSeconds, conversations, tokens } = await timeOf(checkpoint, data, folder.path);
  const size = `${2 * PAIRS} conversations, ${tokens} tokens in parts of ${2 * PART_ROWS} conversations`;
  const rates = `${(conversations / seconds).toPrecision(3)} conversations/s, ${Math.round(tokens / seconds)} tokens/s`;
  const text = `embedding, Qwen2.5-0.5B shape, f32, ${size} (${rates}): the backbone's share of the time, both here`;
  return [claim(text, seconds, backboneSeconds, "s", 0.9)];
}

async function timeOf(checkpoint: string, data: string, folder: string): Promise<EmbedTiming> {
  await using embedder = await openEmbedder(checkpoint, { dtype: "f32" });
  const { backbone, chat, chatSettings, location } = embedder;
  let timing: EmbedTiming | undefined;
  await embed(backbone, chat, {
    chatSettings,
    location,
    kind: "pairs",
    partRows: PART_ROWS,
    data: [parseDataLocation(data)],
    out: join(folder, "embedded"),
    onTiming: (taken) => {
      timing = taken;
    },
  });
  return timing!;
}

/** Prompts of 20 to 80 words, responses of 20 to 120. */
function pairs() {
  const random = createRandom(3);
  const text = (least: number, most: number) =>
    Array.from({ length: random.integer(least, most) }, () => random.pick(WORDS)).join(" ");
  return Array.from({ length: PAIRS }, () => {
    return { prompt: text(20, 80), chosen: text(20, 120), rejected: text(20, 120) };
  });
}
