import { cpSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { writeLlama3Files } from "../chat/llama3-files.ts";

/** A golden `LlamaForSequenceClassification`, 300 entries in its vocabulary. */
export const goldenClassifier = join(import.meta.dirname, "../golden/backbones/llama-seqcls-bf16");

/**
 * Writes the golden classifier in the layout of sfairXC/FsfairX-LLaMA3-RM-v0.1: `score.weight [1, H]` in bf16, and neither the
 * template nor the tokenizer writes a BOS.
 */
export function writeFsfairxCheckpoint(directory: string): void {
  mkdirSync(directory, { recursive: true });
  for (const name of ["config.json", "model.safetensors"])
    cpSync(join(goldenClassifier, name), join(directory, name));
  writeLlama3Files(directory, { vocabSize: 300, bosInTemplate: false });
}
