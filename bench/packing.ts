// Conversations with a common prompt in one call, where the prompt is computed once, against a call for each.

import { join } from "node:path";
import { type Backbone, openBackbone } from "../src/backbone/backbone.ts";
import { type Claim, claim } from "./claim.ts";
import { writeRandomCheckpoint } from "./random-checkpoint.ts";
import { randomIds } from "./random-ids.ts";
import { medians, timed } from "./rounds.ts";
import { temporaryFolder } from "./temporary.ts";

const [LAYERS, VOCABULARY, ROUNDS] = [2, 1024, 3];
const SHAPE = `Llama-3.2-1B widths, ${LAYERS} layers`;

// All positions are asked for: else the last layer would skip its MLP, half of the work of two layers and a sixteenth of
// the real shape's, and attention would look more expensive than it is.
interface Conversation {
  readonly ids: readonly number[];
}

export async function measurePacking(): Promise<Claim[]> {
  using folder = await temporaryFolder();
  process.env.ARMORM_CACHE = join(folder.path, "cache");
  await writeRandomCheckpoint(folder.path, "llama-3.2-1b", {
    layers: LAYERS,
    vocabulary: VOCABULARY,
    dtype: "F32",
  });
  const claims: Claim[] = [];
  for (const dtype of ["f32", "int8"] as const) {
    await using backbone = await openBackbone(folder.path, { dtype });
    const about = `${dtype}, ${SHAPE}`;
    const pair = family(256, 64, 2);
    claims.push(
      await against(
        backbone,
        [pair],
        pair.map(single),
        `pair, prompt 256, responses 64, ${about}: apart`,
        1.5,
      ),
    );
    const candidates = family(256, 64, 16);
    claims.push(
      await against(
        backbone,
        [candidates],
        candidates.map(single),
        `best of 16, prompt 256, responses 64, ${about}: apart`,
        3,
      ),
    );
    const pairs = Array.from({ length: 8 }, (_, i) => family(16, 64, 2, 100 * i)).flat();
    claims.push(
      await against(
        backbone,
        [pairs],
        [pairs.map(unshared)],
        `8 pairs, prompts 16, responses 64, ${about}: the same call with no prompt shared`,
        1,
      ),
    );
  }
  return claims;
}

/** Both ways of calling, in turn. */
async function against(
  backbone: Backbone,
  together: readonly (readonly Conversation[])[],
  apart: readonly (readonly Conversation[])[],
  text: string,
  bar: number,
): Promise<Claim> {
  const [ours, peer] = await medians(
    ROUNDS,
    [together, apart].map((calls) =>
      timed(async () => {
        for (const call of calls) await backbone.hiddenStates(call);
      }),
    ),
  );
  return claim(text, ours! * 1000, peer! * 1000, "ms", bar);
}

/** Conversations with one prompt. */
function family(promptTokens: number, responseTokens: number, size: number, seed = 1): Conversation[] {
  const prompt = randomIds(promptTokens, VOCABULARY, seed);
  return Array.from({ length: size }, (_, i) => ({
    ids: [...prompt, ...randomIds(responseTokens, VOCABULARY, seed + 1 + i)],
  }));
}

const single = (conversation: Conversation): Conversation[] => [conversation];

/** The same conversation, but for a first token of its own. */
const unshared = ({ ids }: Conversation, index: number): Conversation => ({ ids: [index, ...ids.slice(1)] });
