// The reference's embedding files → an embedding set, so that everything else works on them. N rows, H hidden size, K objectives.

import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { basename } from "node:path";
import { describeDecoder } from "../backbone/architectures/families.ts";
import { type ChatOptions, openChat } from "../chat/chat.ts";
import { openCheckpoint } from "../checkpoint/checkpoint.ts";
import { requireSpace } from "../checkpoint/disk-space.ts";
import { locateCheckpoint, storedLocation } from "../checkpoint/location.ts";
import { InputError } from "../errors.ts";
import { chatSettingsOf } from "./embedder.ts";
import { importPairs, importRatings, readRows } from "./import-parts.ts";
import {
  type EmbeddingManifest,
  hashOf,
  type ObjectiveSummary,
  type Rejection,
  readManifest,
  writeManifest,
} from "./manifest.ts";
import { explainOutput } from "./output-directory.ts";
import { requirePartRows, writePart } from "./part.ts";
import { openReferenceFiles, type ReferenceFiles } from "./reference-files.ts";
import { countParts, describePart } from "./set-description.ts";
import { isComplete, prepareDirectory, removeUnfinished } from "./set-directory.ts";
import { acquireSetLock } from "./set-lock.ts";
import { WHOLE } from "./shard.ts";
import { verifyPart } from "./verify-part.ts";

/** The name of a column of labels. */
export interface ImportedObjective {
  readonly name: string;
  /** The data set that rated it. Default: the files' name. */
  readonly source?: string;
}

export interface ImportOptions extends ChatOptions {
  /** One file, all files of a series, or the folder that holds them. */
  readonly files: readonly string[];
  /**
   * The backbone that made them: a directory, or `org/name[@revision]`. The files do not say; only their width is checked. Models
   * trained on them are scored with it, with its chat template and BOS rule.
   */
  readonly backbone: string;
  /** The directory to write: empty, absent, or this same import begun. */
  readonly out: string;
  /** Ratings only, where they are required: a name for every column of labels, in order. */
  readonly objectives?: readonly ImportedObjective[];
  /** Rows per part. Default 4096, at most 131072. */
  readonly partRows?: number;
  readonly signal?: AbortSignal;
  /** Called once, before anything is written; not where the set is there already. */
  readonly onPlan?: (plan: { readonly rows: number; readonly bytes: number; readonly dtype: string }) => void;
  readonly onProgress?: (rows: number, totalRows: number) => void;
  /** Called when a lock of a process that is gone is taken over, or one of another machine is watched. */
  readonly onNote?: (line: string) => void;
}

const PART_ROWS = 4096;
const BYTES_PER_ROW = 180; // what is known of a row, as text

/**
 * Makes an embedding set of files that the reference's `stage-1_prepare.py` (ratings: `embeddings [N, H]`, `labels [N, K]`) or
 * `stage-2_prepare.py` (pairs: `embeddings` and `prompt_embeddings [N, 2, H]`) has written.
 *
 * What the files do not hold stays unknown: rows have no ids, responses no lengths, so training has no derived `length` objective
 * and no length baselines. A prompt is known by its embedding, so pairs with equal prompt embeddings stay on one side of a split;
 * rated conversations by their own, so only repeated ones do. Which prompts training saw cannot be said afterwards.
 *
 * Rows with numbers that are not finite, and pairs whose two prompt embeddings are those of different prompts (relative difference
 * above 0.1), are rejected and counted. Smaller differences are rounding, of kernels that depend on the length: the chosen
 * response's is kept, as the gate reads one prompt, and the manifest counts them.
 *
 * @returns The manifest.
 * @throws {InputError} Those of `openReferenceFiles`, `openCheckpoint` and `openChat`; `wrong-backbone`, `missing-objectives`,
 *   `no-usable-rows`, `output-not-empty`, `bad-output`, `bad-part-rows`, `disk-full`, `set-in-use`.
 *
 * Cost: the files are read twice, once for their hashes; a set that is there already costs the hashes and labels alone. Memory: one
 * part, some 4 · partRows · H floats for pairs.
 */
export async function importEmbeddings(options: ImportOptions): Promise<EmbeddingManifest> {
  const {
    files,
    backbone: location,
    out,
    objectives,
    partRows = PART_ROWS,
    signal,
    onPlan,
    onProgress,
    onNote = () => {},
    ...chatOptions
  } = options;
  requirePartRows(partRows, 1);
  const source = await openReferenceFiles(files);
  const { kind, name, rows, hiddenSize } = source;
  const named = nameColumns(source, objectives);
  const backbone = await describeBackbone(location, hiddenSize, chatOptions, source);
  const data: EmbeddingManifest["data"][number][] = [];
  for (const { path, rows: count } of source.files) {
    data.push({ source: name, file: basename(path), sha256: await sha256(path, signal), rows: count });
  }
  const summaries = await summarize(source, named);
  const rated = summaries.filter(({ rows: count }) => count > 0);
  if (kind === "ratings" && rated.length === 0) throw noRows(source, "no label is a number");
  const about = {
    format: "armorm-embeddings",
    version: 1,
    kind,
    ...backbone,
    data,
    maxTokens: null,
    overlong: "reject",
    limit: null,
    partRows,
    objectives: rated,
  } as const;
  const run = hashOf({ ...about, backbone: { ...about.backbone, location: null } });
  const perRow = kind === "pairs" ? 3 * hiddenSize : hiddenSize + rated.length;
  const bytes = rows * (4 * perRow + BYTES_PER_ROW);

  return await explainOutput(out, "import", async () => {
    const columns = rated.map((objective) => summaries.indexOf(objective));
    const parts: { file: string; id: string; rows: number }[] = [];
    const rejections: Rejection[] = [];
    const differences = { rows: 0, largest: 0 };
    const manifest = (complete: boolean): EmbeddingManifest => ({
      ...about,
      run,
      complete,
      rowsIn: rows,
      rowsUnrated: 0,
      rowsOut: parts.reduce((sum, part) => sum + part.rows, 0),
      rejections,
      parts,
      imported: {
        layout: "reference",
        promptHashes: kind === "pairs" ? "prompt_embeddings" : "embeddings",
        promptDifferences: kind === "pairs" ? differences : null,
      },
    });
    const set = manifest(false);
    const partCount = countParts(set);
    await prepareDirectory(out, set);
    await using _lock = await acquireSetLock(out, WHOLE, partCount, onNote);
    await removeUnfinished(out, set, WHOLE);
    const there = await countPartsThere(out, set);
    if (there === partCount && (await isComplete(out))) return await readManifest(out);
    onPlan?.({ rows, bytes, dtype: source.dtype });
    // A part that is there is written anew beside itself, and then takes its own place.
    const partsToCome = Math.min(partCount, partCount - there + 1);
    await requireSpace(out, (bytes * partsToCome) / partCount, "import");
    await writeManifest(out, set);
    for (let index = 0; index < partCount; index++) {
      signal?.throwIfAborted();
      const [start, end] = [index * partRows, Math.min(rows, (index + 1) * partRows)];
      const part =
        kind === "pairs"
          ? await importPairs(source, start, end)
          : await importRatings(source, start, end, columns);
      const { file, id } = describePart(set, index);
      await writePart(out, { file, id, rows: part.rows, rejections: part.rejections }, part.tensors);
      parts.push({ file, id, rows: part.rows.length });
      rejections.push(...part.rejections);
      differences.rows += part.differences.rows;
      differences.largest = Math.max(differences.largest, part.differences.largest);
      onProgress?.(end, rows);
    }
    const done = manifest(true);
    if (done.rowsOut === 0) throw noRows(source, rejections[0]?.reason ?? "they are empty");
    await writeManifest(out, done);
    return done;
  });
}

async function countPartsThere(out: string, set: EmbeddingManifest): Promise<number> {
  let there = 0;
  for (let index = 0; index < countParts(set); index++) {
    if ((await verifyPart(out, set, index)).part !== null) there++;
  }
  return there;
}

function nameColumns(
  { kind, name, labels }: ReferenceFiles,
  objectives: readonly ImportedObjective[] | undefined,
): readonly ImportedObjective[] {
  if (kind === "pairs" && objectives === undefined) return [];
  if (objectives?.length === labels) return objectives;
  const got = objectives === undefined ? "none" : `${objectives.length}`;
  const expected =
    kind === "pairs" ? "no names of objectives for pairs" : `names for its ${labels} columns of labels`;
  throw new InputError(
    "missing-objectives",
    `${name}: expected ${expected}, got ${got}`,
    kind === "pairs"
      ? "leave them out: pairs have no ratings"
      : "name the columns in their order: the files do not",
  );
}

/** What each column of labels looks like; a column without a rating has rows 0. */
async function summarize(
  { files, name, rows, labels: K }: ReferenceFiles,
  objectives: readonly ImportedObjective[],
): Promise<ObjectiveSummary[]> {
  const found = objectives.map((objective) => ({
    ...{ name: objective.name, source: objective.source ?? name, rows: 0 },
    ...{ minimum: Number.POSITIVE_INFINITY, maximum: Number.NEGATIVE_INFINITY },
  }));
  if (K === 0) return found;
  const labels = await readRows(files, (file) => file.labels!, 0, rows);
  for (let i = 0; i < labels.length; i++) {
    const objective = found[i % K]!;
    if (!Number.isFinite(labels[i])) continue;
    objective.rows++;
    objective.minimum = Math.min(objective.minimum, labels[i]!);
    objective.maximum = Math.max(objective.maximum, labels[i]!);
  }
  return found;
}

/** What the manifest says of the backbone and its chat. The backbone does not run. */
async function describeBackbone(
  location: string,
  hiddenSize: number,
  options: ChatOptions,
  { name, dtype }: ReferenceFiles,
) {
  const { directory, name: found } = await locateCheckpoint(location);
  const checkpoint = await openCheckpoint(directory);
  const decoder = describeDecoder(checkpoint);
  if (decoder.hiddenSize !== hiddenSize) {
    throw new InputError(
      "wrong-backbone",
      `${name}: expected embeddings of ${found}, ${decoder.hiddenSize} wide, got ${hiddenSize}`,
      "name the backbone that made the files",
    );
  }
  const chat = await openChat(directory, { checkpoint: found, ...options });
  return {
    backbone: {
      location: await storedLocation(found),
      fingerprint: checkpoint.fingerprint,
      hiddenSize,
      dtype,
    },
    chat: chatSettingsOf(chat, options),
  };
}

async function sha256(path: string, signal?: AbortSignal): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) {
    signal?.throwIfAborted();
    hash.update(chunk);
  }
  return hash.digest("hex");
}

const noRows = ({ name, rows }: ReferenceFiles, why: string): InputError =>
  new InputError(
    "no-usable-rows",
    `${name}: expected usable rows, got none of ${rows}; the first: ${why}`,
    "check the files",
  );
