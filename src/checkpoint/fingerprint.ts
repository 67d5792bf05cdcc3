// What identifies a backbone, whatever heads it carries and wherever its files lie.

import { createHash, type Hash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import type { TensorRange } from "./safetensors-header.ts";

const BACKBONE_PREFIX = "model.";
const SAMPLE_BYTES = 4096;

// Fields that say nothing about hidden states: bookkeeping, training, generation, and the heads on top.
const IRRELEVANT_FIELDS = new Set([
  "_name_or_path",
  "_attn_implementation",
  "architectures",
  "armorm",
  "auto_map",
  "attention_dropout",
  "bos_token_id",
  "dtype",
  "eos_token_id",
  "id2label",
  "initializer_range",
  "label2id",
  "num_labels",
  "num_objectives",
  "pad_token_id",
  "pretraining_tp",
  "problem_type",
  "tie_word_embeddings",
  "torch_dtype",
  "transformers_version",
  "use_cache",
]);
const IRRELEVANT_PREFIXES = ["gating_", "output_"];

/**
 * SHA-256, in hexadecimal, over the configuration that matters and the backbone's tensors: names, dtypes, shapes, and
 * 4 KiB at the start, middle and end of each.
 *
 * Head tensors (outside `model.*`) and bookkeeping fields of the configuration do not count, nor does the split into
 * shards. A fine-tune differs: training moves every matrix. An edit between the samples goes unseen.
 * Cost: three small reads per tensor, about a thousand for an 8 B model.
 */
export async function fingerprintBackbone(
  config: Readonly<Record<string, unknown>>,
  tensors: ReadonlyMap<string, TensorRange>,
): Promise<string> {
  const hash = createHash("sha256");
  hash.update(canonicalJson(relevantFields(config)));
  const handles = new Map<string, FileHandle>();
  try {
    for (const [name, range] of backboneTensors(tensors)) {
      hash.update(`\n${JSON.stringify([name, range.dtype, range.shape])}\n`);
      let handle = handles.get(range.file);
      if (handle === undefined) {
        handle = await open(range.file, "r");
        handles.set(range.file, handle);
      }
      await hashSamples(hash, handle, range);
    }
  } finally {
    for (const handle of handles.values()) await handle.close();
  }
  return hash.digest("hex");
}

// Checkpoints of a bare model store the same tensors without the prefix.
function backboneTensors(tensors: ReadonlyMap<string, TensorRange>): [string, TensorRange][] {
  const prefixed = [...tensors].filter(([name]) => name.startsWith(BACKBONE_PREFIX));
  const chosen = prefixed.length > 0 ? prefixed : [...tensors];
  return chosen
    .map(([name, range]): [string, TensorRange] => [name.replace(/^model\./, ""), range])
    .sort(([a], [b]) => (a < b ? -1 : 1));
}

async function hashSamples(hash: Hash, handle: FileHandle, { offset, length }: TensorRange): Promise<void> {
  const starts = [
    0,
    Math.max(0, Math.floor((length - SAMPLE_BYTES) / 2)),
    Math.max(0, length - SAMPLE_BYTES),
  ];
  for (const start of new Set(starts)) {
    const sample = Buffer.alloc(Math.min(SAMPLE_BYTES, length - start));
    await handle.read(sample, 0, sample.length, offset + start);
    hash.update(sample);
  }
}

// null and absent mean the same to every configuration class.
function relevantFields(config: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(config).filter(
      ([name, value]) =>
        value !== null &&
        !IRRELEVANT_FIELDS.has(name) &&
        !IRRELEVANT_PREFIXES.some((prefix) => name.startsWith(prefix)),
    ),
  );
}

function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const fields = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${fields.map(([name, field]) => `${JSON.stringify(name)}:${canonicalJson(field)}`).join(",")}}`;
}
