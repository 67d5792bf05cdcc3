// A model as one full checkpoint in the published layout: the backbone's tensors as they are stored, the heads under their official
// names, and the files that belong to them. Written piece by piece, checked when written, complete when config.json is there.

import { readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { describeDecoder } from "../backbone/architectures/families.ts";
import { type Checkpoint, openCheckpoint } from "../checkpoint/checkpoint.ts";
import { explainFullDisk, requireSpace } from "../checkpoint/disk-space.ts";
import { locateCheckpoint, storedLocation } from "../checkpoint/location.ts";
import {
  hasShard,
  type PlannedShard,
  planShards,
  writeIndex,
  writeShard,
} from "../checkpoint/sharded-writer.ts";
import { hashOf } from "../embedding/manifest.ts";
import { makeOutputDirectory } from "../embedding/output-directory.ts";
import { InputError } from "../errors.ts";
import { hashTensors } from "../scoring/scorer.ts";
import { writeExportFiles, writeText } from "./export-files.ts";
import { headsToTensors } from "./heads.ts";
import type { ArmoDirectory } from "./model-directory.ts";
import { publishedConfig } from "./published-config.ts";
import { type HeadsDtype, type PublishedTensors, publishedTensors } from "./published-tensors.ts";
import { verifyExport } from "./verify-export.ts";

export interface ExportOptions {
  /** The folder to write: empty, absent, or this same export begun. */
  readonly out: string;
  /** Where the backbone lies now, or its name on the hub. Default: as the model says. */
  readonly backbone?: string;
  /** Data per file, in bytes. Default 5 · 10⁹, as Hugging Face's libraries cut. */
  readonly shardBytes?: number;
  /** Default `f32`: the scores stay the same to the last bit. `bf16` is how the published checkpoint is stored. */
  readonly headsDtype?: HeadsDtype;
  /** Stops within a second; the same call continues with the first file that is missing. */
  readonly signal?: AbortSignal;
  /** Called once, before anything is written. */
  readonly onPlan?: (plan: ExportPlan) => void;
  readonly onProgress?: (bytes: number, totalBytes: number) => void;
}

/** The size of an export. */
export interface ExportPlan {
  readonly tensors: number;
  readonly bytes: number;
  readonly files: number;
  /** Files that an earlier run has written. */
  readonly filesDone: number;
  /** Tensors of the backbone's checkpoint that are not part of the layout. */
  readonly leftOut: readonly string[];
}

export interface ExportResult extends Omit<ExportPlan, "filesDone"> {
  readonly out: string;
  readonly className: string;
  readonly headsDtype: HeadsDtype;
  /** What the backbone's card names, or null. */
  readonly licence: string | null;
  /** Of the backbone, here as in its own checkpoint. */
  readonly fingerprint: string;
}

/** What a run that has begun here is; gone when it is complete. */
const MARKER = ".export.json";
const CONFIG = "config.json";
const SHARD_BYTES = 5e9;

/**
 * Writes a model and its backbone as one checkpoint in the layout of RLHFlow/ArmoRM-Llama3-8B-v0.1, class
 * `LlamaForRewardModelWithGating` (other families: the class's name with theirs).
 *
 * The backbone's tensors are copied as they are stored. What the official class cannot express (β, scales, chat settings) stands
 * under one key of config.json that it ignores, so `openRewardModel` gives the same scores as before, to the last bit.
 *
 * What was written is read back before config.json makes it a checkpoint: every tensor's name, type and shape against the plan and
 * against the configuration, the heads byte by byte, samples of every tensor of the backbone.
 *
 * @param model What `openModelDirectory` gives for an ArmoRM.
 * @throws {InputError} `output-not-empty`, `wrong-backbone`, `unsupported-heads`, `disk-full`, `export-not-verified`; those of
 *   `openCheckpoint`.
 *
 * Cost: reading and writing the backbone once. Memory: 16 MiB beside the heads.
 */
export async function exportCheckpoint(model: ArmoDirectory, options: ExportOptions): Promise<ExportResult> {
  const { out, headsDtype = "f32", signal, onProgress } = options;
  const { directory, name } = await locateCheckpoint(options.backbone ?? model.backbone.location);
  const source = await openCheckpoint(directory);
  requireBackbone(model, source);
  const config = publishedConfig(source.config, model.heads, model.chat);
  const className = (config.architectures as string[])[0]!;
  const published = publishedTensors(source.tensors, model.heads, headsDtype);
  const shards = planShards(published.tensors, options.shardBytes ?? SHARD_BYTES);
  const run = runOf(model, source, shards);

  return await explainFullDisk(out, "export", async () => {
    await prepareFolder(out, run);
    const done: boolean[] = [];
    for (const shard of shards) done.push(await hasShard(out, shard));
    const size = sizeOf(shards, published);
    options.onPlan?.({ ...size, filesDone: done.filter(Boolean).length });
    const missing = shards.filter((_, i) => !done[i]);
    const toWrite = missing.reduce((sum, { layout }) => sum + layout.bytes, 0);
    await requireSpace(out, toWrite, "export");
    await writeText(out, MARKER, JSON.stringify({ run }));
    let bytes = size.bytes - toWrite;
    for (const shard of missing) {
      const onBytes = (written: number) => {
        bytes += written;
        onProgress?.(bytes, size.bytes);
      };
      await writeShard(out, shard, { ...(signal ? { signal } : {}), onBytes });
    }
    await writeIndex(out, shards);
    const licence = await writeExportFiles(out, model, {
      ...{ className, headsDtype, backboneDirectory: directory },
      backbone: await storedLocation(name),
      modelDirectory: (await locateCheckpoint(model.location)).directory,
    });
    const fingerprint = await verifyExport(out, config, published);
    await writeText(out, CONFIG, JSON.stringify(config, null, 2));
    await rm(join(out, MARKER));
    return { out, className, headsDtype, licence, fingerprint, ...size };
  });
}

function sizeOf(shards: readonly PlannedShard[], { tensors, leftOut }: PublishedTensors) {
  const bytes = shards.reduce((sum, { layout }) => sum + layout.bytes, 0);
  return { tensors: tensors.size, bytes, files: shards.length, leftOut };
}

/** The same for the same bytes: only then may files of an earlier run stay. */
function runOf({ heads }: ArmoDirectory, source: Checkpoint, shards: readonly PlannedShard[]): string {
  return hashOf({
    heads: hashTensors(headsToTensors(heads)),
    backbone: [source.directory, source.fingerprint],
    shards: shards.map(({ file, tensors }) => [
      file,
      ...[...tensors].map(([name, { dtype }]) => [name, dtype]),
    ]),
  });
}

function requireBackbone({ location, heads, backbone }: ArmoDirectory, source: Checkpoint): void {
  const remedy = "give the directory of the model's own backbone with --backbone";
  const { hiddenSize } = describeDecoder(source);
  if (hiddenSize !== heads.hiddenSize) {
    const what = `${location}: expected a backbone ${heads.hiddenSize} wide, got ${hiddenSize} at ${source.directory}`;
    throw new InputError("wrong-backbone", what, remedy);
  }
  if (backbone.fingerprint === null || backbone.fingerprint === source.fingerprint) return;
  const what = `${location}: expected the backbone that it was trained on, got another at ${source.directory}`;
  throw new InputError("wrong-backbone", what, remedy);
}

async function prepareFolder(out: string, run: string): Promise<void> {
  await makeOutputDirectory(out);
  const all = await readdir(out);
  const [entry] = all.filter((name) => !name.endsWith(".tmp"));
  if (entry === undefined) return;
  const begun: unknown = await readFile(join(out, MARKER), "utf8")
    .then(JSON.parse)
    .catch(() => null);
  if ((begun as { run?: unknown } | null)?.run !== run) {
    const got = begun === null ? `one that holds ${entry}` : "another export begun";
    throw new InputError(
      "output-not-empty",
      `${out}: expected an empty folder or this export begun, got ${got}`,
      "choose an empty folder, or delete this one",
    );
  }
  // What a killed run was writing when it died.
  for (const name of all) if (name.endsWith(".tmp")) await rm(join(out, name), { force: true });
}
