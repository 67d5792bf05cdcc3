// The prompts that training saw, as a file of hashes: which evaluation rows are known to a model is looked up there.

import { join } from "node:path";
import type { Tensor } from "../checkpoint/dtypes.ts";
import { readSafetensors } from "../checkpoint/safetensors.ts";
import { writeSafetensors } from "../checkpoint/safetensors-writer.ts";
import { promptKey } from "./training-rows.ts";

/** The file in a model directory. */
export const PROMPTS = "training-prompts.safetensors";

/** Writes the sorted keys of the prompts that training saw. */
export async function writeTrainingPrompts(directory: string, sortedKeys: BigUint64Array): Promise<void> {
  const keys: Tensor = { dtype: "U64", shape: [sortedKeys.length], data: sortedKeys };
  await writeSafetensors(join(directory, PROMPTS), new Map([["prompt_keys", keys]]));
}

/** The prompts that training saw, of a model that armorm has written to a directory. */
export async function readTrainingPrompts(
  directory: string,
): Promise<{ readonly count: number; readonly trainedOn: (promptHash: string) => boolean }> {
  const prompts = await readSafetensors(join(directory, PROMPTS));
  const keys = prompts.get("prompt_keys")?.data as BigUint64Array; // sorted
  const trainedOn = (promptHash: string): boolean => {
    const key = promptKey(promptHash);
    let [from, to] = [0, keys.length];
    while (from < to) {
      const middle = (from + to) >>> 1;
      if (keys[middle]! < key) from = middle + 1;
      else to = middle;
    }
    return keys[from] === key;
  };
  return { count: keys.length, trainedOn };
}
