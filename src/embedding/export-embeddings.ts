// An embedding set → files as the reference's preparation scripts write them, for its training scripts. n rows of a part.

import { readdir } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { explainFullDisk, requireSpace } from "../checkpoint/disk-space.ts";
import { type Tensor, toFloat32 } from "../checkpoint/dtypes.ts";
import { readTensor } from "../checkpoint/safetensors.ts";
import type { TensorRange } from "../checkpoint/safetensors-header.ts";
import { layOutSafetensors } from "../checkpoint/safetensors-writer.ts";
import { type TensorSource, writeShard } from "../checkpoint/sharded-writer.ts";
import { InputError } from "../errors.ts";
import type { EmbeddingSet } from "./embedding-set.ts";
import { makeOutputDirectory } from "./output-directory.ts";
import { isReferenceFile, referenceFile } from "./reference-files.ts";

/** What was written. */
export interface ExportedEmbeddings {
  readonly out: string;
  /** What the files are called, without number and ending: the name of the set's directory. */
  readonly name: string;
  readonly kind: "ratings" | "pairs";
  readonly files: readonly string[];
  readonly rows: number;
  /** Rows of the data that were never embedded: the files do not say which. */
  readonly rowsRejected: number;
  /** The columns of the labels, in order; none for pairs. */
  readonly objectives: readonly string[];
}

/**
 * Writes a set as the reference's files: `embeddings [N, H]` and `labels [N, K]` (ratings), `embeddings` and `prompt_embeddings
 * [N, 2, H]`, the latter twice the same (pairs), in f32. One file per part: `NAME-00001-of-00008.safetensors`, a single file of pairs
 * `NAME.safetensors`. Ids, sources and lengths have no place there.
 *
 * @throws {InputError} `wrong-embedding-kind`; `output-exists` where files of that name are: the reference reads all that match;
 *   `disk-full`.
 *
 * Memory: a part's prompt embeddings, twice.
 */
export async function exportEmbeddings(
  set: EmbeddingSet,
  out: string,
  {
    signal,
    onProgress,
  }: { readonly signal?: AbortSignal; readonly onProgress?: (rows: number, total: number) => void } = {},
): Promise<ExportedEmbeddings> {
  const { kind, objectives, rejections } = set.manifest;
  if (kind !== "ratings" && kind !== "pairs") {
    throw new InputError(
      "wrong-embedding-kind",
      `${set.directory}: expected embedded ratings or pairs, got ${kind as string}`,
      "the reference has no files for them",
    );
  }
  const name = basename(resolve(set.directory));
  await makeOutputDirectory(out);
  const there = (await readdir(out)).find((file) => isReferenceFile(file, name));
  if (there !== undefined) {
    throw new InputError(
      "output-exists",
      `${out}: expected no files called ${name}, got ${there}`,
      "choose another folder: the reference would read them together",
    );
  }
  return await explainFullDisk(out, "export", async () => {
    const embeddings = await set.ranges("embeddings");
    const labels = kind === "ratings" ? await set.ranges("labels") : [];
    const prompts = kind === "pairs" ? await set.ranges("prompt_embeddings") : [];
    const bytes = [...embeddings, ...labels, ...prompts, ...prompts].reduce(
      (sum, { length }) => sum + length,
      0,
    );
    await requireSpace(out, bytes, "export");
    const files: string[] = [];
    let rows = 0;
    for (const [i, states] of embeddings.entries()) {
      const tensors = new Map<string, TensorSource>([["embeddings", states]]);
      if (labels[i]) tensors.set("labels", labels[i]);
      if (prompts[i]) tensors.set("prompt_embeddings", await twice(prompts[i]));
      const file = referenceFile(kind, name, i, embeddings.length);
      const layout = layOutSafetensors(tensors, { format: "pt", dtype: set.manifest.backbone.dtype });
      await writeShard(out, { file, tensors, layout }, signal ? { signal } : {});
      files.push(join(out, file));
      rows += states.shape[0]!;
      onProgress?.(rows, set.rows);
    }
    return {
      ...{ out, name, kind, files, rows, rowsRejected: rejections.length },
      objectives: objectives.map((objective) => objective.name),
    };
  });
}

/** `[n, H]` → `[n, 2, H]`: a prompt embedding for each response. */
async function twice(range: TensorRange): Promise<Tensor> {
  const [n, H] = range.shape as [number, number];
  const once = toFloat32(await readTensor(range));
  const data = new Float32Array(2 * once.length);
  for (let i = 0; i < n; i++) {
    const row = once.subarray(i * H, (i + 1) * H);
    data.set(row, 2 * i * H);
    data.set(row, (2 * i + 1) * H);
  }
  return { dtype: "F32", shape: [n, 2, H], data };
}
