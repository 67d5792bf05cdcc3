import { cpSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Tensor } from "../../src/checkpoint/dtypes.ts";
import { type EmbeddingManifest, hashOf, readManifest, writeManifest } from "../../src/embedding/manifest.ts";
import { type PartInfo, writePart } from "../../src/embedding/part.ts";
import { countParts, describePart, summarizePart, withParts } from "../../src/embedding/set-description.ts";
import { shardParts } from "../../src/embedding/shard.ts";
import { writeJournal } from "../../src/embedding/shard-journal.ts";
import { createRandom } from "../../src/random.ts";
import { randomRows, withPatterns } from "./random-rows.ts";

export interface WrittenSet {
  readonly kind: "ratings" | "pairs";
  readonly rows: number;
  readonly hiddenSize: number;
  readonly partRows: number;
  readonly source: string;
  readonly seed: number;
  /** Names of the objectives, and which of them the rows are rated on, in turn. */
  readonly objectives?: readonly string[];
  readonly patterns?: readonly (readonly number[])[];
  readonly maxTokens?: number;
}

/** Writes an embedding set of noise: two rows to a prompt, prompts of their own for every source, every ninth row rejected. */
export async function writeSet(directory: string, set: WrittenSet): Promise<EmbeddingManifest> {
  const { kind, rows: N, hiddenSize: H, partRows, source, seed, objectives = [], maxTokens = 512 } = set;
  const K = objectives.length;
  const wide = kind === "pairs" ? 2 : 1;
  const values = randomRows(N * wide, H, Math.max(K, 1), seed);
  const random = createRandom(seed + 1);
  const labels =
    K === 0
      ? values.labels
      : withPatterns(values.labels, K, set.patterns ?? [[...objectives.keys()]]).map((y) => 3 + 2 * y);
  const about = {
    format: "armorm-embeddings",
    version: 1,
    kind,
    source,
    seed,
    N,
    H,
    partRows,
    maxTokens,
  } as const;
  const manifest = {
    ...{ format: about.format, version: 1, kind, run: hashOf(about), complete: false, maxTokens, partRows },
    backbone: { location: "noise", fingerprint: "f".repeat(64), hiddenSize: H, dtype: "f32" },
    chat: {
      fingerprint: "c".repeat(64),
      bos: "on",
      specialTokens: "text",
      chatTemplate: null,
      gatingPattern: null,
    },
    data: [{ source, file: `${source}.jsonl`, sha256: hashOf([source, seed]), rows: N }],
    ...{ overlong: "reject", limit: null, rowsUnrated: 0, rowsIn: N, rowsOut: 0, rejections: [], parts: [] },
    objectives: objectives.map((name, k) => {
      const rated = Array.from({ length: N }, (_, n) => labels[n * K + k]!).filter((y) => !Number.isNaN(y));
      return { name, source, rows: rated.length, minimum: Math.min(...rated), maximum: Math.max(...rated) };
    }),
  } as EmbeddingManifest;
  mkdirSync(directory);
  const parts: PartInfo[] = [];
  for (let index = 0; index < countParts(manifest); index++) {
    const { file, id, start, end } = describePart(manifest, index);
    const numbers = Array.from({ length: end - start }, (_, i) => start + i);
    const kept = numbers.filter((row) => row % 9 !== 8);
    const gather = (from: Float32Array, width: number) =>
      Float32Array.from(kept.flatMap((row) => [...from.subarray(row * width, (row + 1) * width)]));
    const n = kept.length;
    const shape = wide === 1 ? [n] : [n, wide];
    const tensors = new Map<string, Tensor>([
      ["embeddings", { dtype: "F32", shape: [...shape, H], data: gather(values.embeddings, wide * H) }],
      [
        "response_tokens",
        {
          dtype: "I32",
          shape,
          data: Int32Array.from({ length: n * wide }, () => 3 + Math.floor(200 * random.uniform())),
        },
      ],
      kind === "ratings"
        ? ["labels", { dtype: "F32", shape: [n, K], data: gather(labels, K) }]
        : ["prompt_embeddings", { dtype: "F32", shape: [n, H], data: gather(values.embeddings, H) }],
    ]);
    const part: PartInfo = {
      ...{ file, id },
      rows: kept.map((row) => ({
        ...{ row, id: row, source, subset: null },
        promptHash: hashOf([source, row >> 1]),
      })),
      rejections: numbers
        .filter((row) => row % 9 === 8)
        .map((row) => ({ row, id: row, source, kind: "invalid", reason: "noise" })),
    };
    await writePart(directory, part, tensors);
    parts.push(part);
  }
  const complete = withParts(manifest, parts.map(summarizePart), true);
  await writeManifest(directory, complete);
  return complete;
}

/** Copies the parts of one shard into a folder of their own, as the shard would have left it. */
export async function cutShard(from: string, to: string, index: number, count: number): Promise<void> {
  const manifest = await readManifest(from);
  const { first, end } = shardParts({ index, count }, manifest.parts.length);
  mkdirSync(to);
  for (const { file } of manifest.parts.slice(first, end)) cpSync(join(from, file), join(to, file));
  const begun = { ...manifest, complete: false, rowsOut: 0, rejections: [], parts: [] };
  await writeJournal(to, { index, count }, null, begun);
}
