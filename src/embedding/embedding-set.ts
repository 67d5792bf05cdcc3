// An embedding set on disk, read in chunks. H hidden size, K objectives, n rows of a chunk.

import { join } from "node:path";
import { toFloat32, toFloat64 } from "../checkpoint/dtypes.ts";
import { readTensorRows } from "../checkpoint/safetensors.ts";
import { readSafetensorsHeader, type TensorRange } from "../checkpoint/safetensors-header.ts";
import { InputError } from "../errors.ts";
import { type EmbeddingKind, type EmbeddingManifest, readManifest } from "./manifest.ts";
import { type RowInfo, readPartMetadata } from "./part.ts";

/** A stretch of rated conversations. */
export interface RatingsChunk {
  readonly rows: readonly RowInfo[];
  /** `[n, H]`: the final hidden state of the last token. */
  readonly embeddings: Float32Array;
  /** `[n, K]`, in the order of the manifest's objectives; NaN = missing. */
  readonly labels: Float32Array;
  /** `[n]` tokens of the rated response; null where an imported set does not know them. */
  readonly responseTokens: Int32Array | null;
}

/** A stretch of preference pairs. */
export interface PairsChunk {
  readonly rows: readonly RowInfo[];
  /** `[n, 2, H]`: chosen, rejected. */
  readonly embeddings: Float32Array;
  /** `[n, H]`: the final hidden state of the gating token, which both responses share. */
  readonly promptEmbeddings: Float32Array;
  /** `[n, 2]` tokens of the chosen and the rejected response; null where an imported set does not know them. */
  readonly responseTokens: Int32Array | null;
}

/** A stretch of prompts with labelled responses; n prompts, r responses of all of them. */
export interface BestOfNChunk {
  readonly rows: readonly RowInfo[];
  /** `[n + 1]`: the responses of row i are `offsets[i]` up to, not including, `offsets[i + 1]`. */
  readonly offsets: Int32Array;
  /** `[r, H]`: the final hidden state of each response's last token. */
  readonly embeddings: Float32Array;
  /** `[n, H]`: the final hidden state of the gating token, which a row's responses share. */
  readonly promptEmbeddings: Float32Array;
  /** `[r]` */
  readonly labels: Float64Array;
  /** `[r]` tokens of each response. */
  readonly responseTokens: Int32Array;
}

interface OpenPart {
  readonly file: string;
  readonly rows: readonly RowInfo[];
  readonly tensors: ReadonlyMap<string, TensorRange>;
}

/** Rows per chunk: 2048 rows of 4096 floats are 32 MiB. */
const CHUNK_ROWS = 2048;
/** Responses per chunk of best-of-N rows; a row that has more is a chunk of its own. */
const CHUNK_RESPONSES = 2 * CHUNK_ROWS;

/** A complete embedding set. Nothing but the manifest is in memory until chunks are read. */
export class EmbeddingSet {
  readonly directory: string;
  readonly manifest: EmbeddingManifest;

  constructor(directory: string, manifest: EmbeddingManifest) {
    this.directory = directory;
    this.manifest = manifest;
  }

  get hiddenSize(): number {
    return this.manifest.backbone.hiddenSize;
  }

  /** Rows that were embedded. */
  get rows(): number {
    return this.manifest.rowsOut;
  }

  /** Whether the texts were there when the set was made: then it knows responses' lengths, and prompts by their text. */
  get knowsTexts(): boolean {
    return this.manifest.imported === undefined;
  }

  /** Rated conversations, in order, a chunk at a time. @throws {InputError} If the set holds another kind. */
  async *ratings(): AsyncGenerator<RatingsChunk> {
    this.expect("ratings");
    for await (const { part, start, end } of this.#stretches()) {
      yield {
        rows: part.rows.slice(start, end),
        embeddings: await readFloats(part, "embeddings", start, end),
        labels: await readFloats(part, "labels", start, end),
        responseTokens: this.knowsTexts ? await readInts(part, "response_tokens", start, end) : null,
      };
    }
  }

  /** Preference pairs, in order, a chunk at a time. @throws {InputError} If the set holds another kind. */
  async *pairs(): AsyncGenerator<PairsChunk> {
    this.expect("pairs");
    for await (const { part, start, end } of this.#stretches()) {
      yield {
        rows: part.rows.slice(start, end),
        embeddings: await readFloats(part, "embeddings", start, end),
        promptEmbeddings: await readFloats(part, "prompt_embeddings", start, end),
        responseTokens: this.knowsTexts ? await readInts(part, "response_tokens", start, end) : null,
      };
    }
  }

  /** Prompts with labelled responses, in order, a chunk at a time. @throws {InputError} If the set holds another kind. */
  async *bestOfN(): AsyncGenerator<BestOfNChunk> {
    this.expect("best-of-n");
    for await (const part of this.#parts()) {
      const counts = await readInts(part, "response_counts", 0, part.rows.length);
      let first = 0;
      for (const { start, end, offsets } of stretchesOf(counts)) {
        const last = first + offsets.at(-1)!;
        yield {
          rows: part.rows.slice(start, end),
          offsets,
          embeddings: await readFloats(part, "embeddings", first, last),
          promptEmbeddings: await readFloats(part, "prompt_embeddings", start, end),
          labels: await readDoubles(part, "labels", first, last),
          responseTokens: await readInts(part, "response_tokens", first, last),
        };
        first = last;
      }
    }
  }

  /**
   * Rows with their labels and their responses' lengths, in order, a part at a time: everything but the embeddings. Labels are
   * those of ratings `[n, K]`, else null; lengths are null where they are not known.
   */
  async *annotations(): AsyncGenerator<{
    readonly rows: readonly RowInfo[];
    readonly labels: Float32Array | null;
    readonly responseTokens: Int32Array | null;
  }> {
    for await (const part of this.#parts()) {
      const all = (name: string) => part.tensors.get(name)?.shape[0] ?? 0;
      yield {
        rows: part.rows,
        labels: this.manifest.kind === "ratings" ? await readFloats(part, "labels", 0, all("labels")) : null,
        responseTokens: this.knowsTexts
          ? await readInts(part, "response_tokens", 0, all("response_tokens"))
          : null,
      };
    }
  }

  /** What is known of the rows beside their numbers, in order, a part at a time. */
  async *rowInfos(): AsyncGenerator<readonly RowInfo[]> {
    for await (const { rows } of this.#parts()) yield rows;
  }

  /** Where the rows of one tensor lie, part after part. */
  async ranges(name: string): Promise<TensorRange[]> {
    const ranges: TensorRange[] = [];
    for await (const part of this.#parts()) if (part.rows.length > 0) ranges.push(range(part, name));
    return ranges;
  }

  /** Refuses a set of none of the kinds. @throws {InputError} `pairs/: expected embedded ratings, got pairs` */
  expect(...kinds: readonly EmbeddingKind[]): void {
    if (kinds.includes(this.manifest.kind)) return;
    throw new InputError(
      "wrong-embedding-kind",
      `${this.directory}: expected embedded ${kinds.join(" or ")}, got ${this.manifest.kind}`,
      `embed the data with --kind ${kinds.join(" or ")}`,
    );
  }

  async *#stretches() {
    for await (const part of this.#parts()) {
      for (let start = 0; start < part.rows.length; start += CHUNK_ROWS) {
        yield { part, start, end: Math.min(start + CHUNK_ROWS, part.rows.length) };
      }
    }
  }

  async *#parts(): AsyncGenerator<OpenPart> {
    for (const { file, id, rows: count } of this.manifest.parts) {
      const path = join(this.directory, file);
      const { tensors, metadata } = await readSafetensorsHeader(path);
      const rows = readPartMetadata(metadata, id)?.rows;
      if (rows?.length !== count) {
        throw new InputError(
          "changed-part",
          `${path}: expected the part that the manifest names (${count} rows), got another`,
          "embed the data again into an empty folder",
        );
      }
      yield { file: path, rows, tensors };
    }
  }
}

/**
 * Opens an embedding set.
 *
 * @throws {InputError} If the directory is none, or its run has not finished.
 */
export async function openEmbeddingSet(directory: string): Promise<EmbeddingSet> {
  const manifest = await readManifest(directory);
  if (!manifest.complete) {
    throw new InputError(
      "incomplete-embeddings",
      `${directory}: expected a complete embedding set, got a run that stopped`,
      "run the same `armorm embed` command again: it continues where it stopped",
    );
  }
  return new EmbeddingSet(directory, manifest);
}

/** Whole rows together, as many as stay below the responses of a chunk. */
function* stretchesOf(counts: Int32Array): Generator<{ start: number; end: number; offsets: Int32Array }> {
  let start = 0;
  while (start < counts.length) {
    const offsets = [0];
    let end = start;
    do offsets.push(offsets.at(-1)! + counts[end++]!);
    while (end < counts.length && offsets.at(-1)! + counts[end]! <= CHUNK_RESPONSES);
    yield { start, end, offsets: Int32Array.from(offsets) };
    start = end;
  }
}

function range(part: OpenPart, name: string): TensorRange {
  const found = part.tensors.get(name);
  if (found) return found;
  throw new InputError(
    "missing-tensor",
    `${part.file}: expected a tensor ${name}, got none`,
    "embed the data again into an empty folder",
  );
}

async function readFloats(part: OpenPart, name: string, start: number, end: number): Promise<Float32Array> {
  return toFloat32(await readTensorRows(range(part, name), start, end));
}

async function readDoubles(part: OpenPart, name: string, start: number, end: number): Promise<Float64Array> {
  return toFloat64(await readTensorRows(range(part, name), start, end));
}

async function readInts(part: OpenPart, name: string, start: number, end: number): Promise<Int32Array> {
  return (await readTensorRows(range(part, name), start, end)).data as Int32Array;
}
