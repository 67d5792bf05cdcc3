// Quantized weights on disk: one folder per content and scheme, which appears whole or not at all.
//
//     quantized/<key>-int8-v1/weights.safetensors   what sessions map
//                             about.json            what it is, and checksums of its bytes
//     content/<files>.txt                           content keys of files that were read before

import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rename, rm, stat, statfs, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { isProcessAlive } from "../../checkpoint/process-alive.ts";
import { readSafetensorsHeader, type TensorRange } from "../../checkpoint/safetensors-header.ts";
import { layOutSafetensors } from "../../checkpoint/safetensors-writer.ts";
import { InputError } from "../../errors.ts";
import { BLOCK_SCHEMES, type BlockScheme, type QuantizedDtype } from "./blocks.ts";
import { checksums } from "./checksums.ts";
import { contentKey } from "./content-key.ts";
import { type QuantizeOptions, quantizedNames, quantizedShapes, quantizeMatrices } from "./quantize.ts";

/** Changes with the layout of the files or the arithmetic: entries of other versions are not read. */
const VERSION = 1;
const WEIGHTS = "weights.safetensors";
const ABOUT = "about.json";
const TEMPORARY = /\.(\d+)-[0-9a-f]+\.tmp$/;

/** A matrix in blocks, as `MatMulNBits` takes it. */
export interface QuantizedMatrix extends BlockScheme {
  readonly weights: TensorRange;
  readonly scales: TensorRange;
}

export interface CacheOptions extends QuantizeOptions {
  /** The cache's folder. Default: {@link cacheFolder}. */
  readonly folder?: string | undefined;
  /** Where the checkpoint lies, for `armorm cache`. */
  readonly source?: string | undefined;
  /** What there is to know beyond the result: a damaged entry, say. */
  readonly onNote?: ((note: string) => void) | undefined;
}

interface About {
  readonly version: number;
  readonly dtype: QuantizedDtype;
  readonly source: string;
  readonly bytes: number;
  readonly created: string;
  readonly checksums: readonly number[];
}

/** `ARMORM_CACHE`, else `armorm` in `XDG_CACHE_HOME` or `~/.cache`. */
export function cacheFolder(environment: Readonly<Record<string, string | undefined>> = process.env): string {
  const { ARMORM_CACHE, XDG_CACHE_HOME } = environment;
  return ARMORM_CACHE || join(XDG_CACHE_HOME || join(homedir(), ".cache"), "armorm");
}

/**
 * The matrices in blocks, by name: from the cache, or quantized now and kept there.
 *
 * An entry is checked byte by byte before it is used; a damaged one is replaced. Several processes may do this at once.
 *
 * Cost: the first time the checkpoint is read twice, once for its content's hash; later some seconds per 10 GB for the
 * check. Memory: some 40 MB a thread.
 *
 * @throws {InputError} `disk-full`, `cache-not-writable`, `bad-weights`.
 */
export async function openQuantized(
  matrices: readonly TensorRange[],
  dtype: QuantizedDtype,
  options: CacheOptions = {},
): Promise<ReadonlyMap<string, QuantizedMatrix>> {
  const { folder = cacheFolder(), source = "", signal, onProgress, onNote } = options;
  const scheme = BLOCK_SCHEMES[dtype];
  const root = join(folder, "quantized");
  try {
    await mkdir(root, { recursive: true });
    await removeAbandoned(root);
    // Both halves of the first time count as progress: hashing, then quantizing.
    const half = (from: number) => (done: number, total: number) =>
      onProgress?.(from * total + done, 2 * total);
    const key = await contentKey(matrices, join(folder, "content"), { signal, onProgress: half(0) });
    const entry = join(root, `${key.slice(0, 32)}-${dtype}-v${VERSION}`);
    if (existsSync(entry)) {
      if (await isIntact(entry)) return await matricesOf(entry, matrices, scheme);
      onNote?.(`${entry} is damaged: quantizing again`);
      await rm(entry, { recursive: true, force: true });
    }
    await requireSpace(root, layOutSafetensors(quantizedShapes(matrices, scheme)).bytes);
    const temporary = `${entry}.${process.pid}-${randomBytes(4).toString("hex")}.tmp`;
    try {
      await mkdir(temporary);
      const path = join(temporary, WEIGHTS);
      await quantizeMatrices(matrices, scheme, path, { signal, onProgress: half(1) });
      const about: About = {
        version: VERSION,
        dtype,
        source,
        bytes: (await stat(path)).size,
        created: new Date().toISOString(),
        checksums: await checksums(path, signal),
      };
      await writeFile(join(temporary, ABOUT), JSON.stringify(about), { flush: true });
      // Where another process was faster, its entry is as good.
      await rename(temporary, entry).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== "ENOTEMPTY" && error.code !== "EEXIST") throw error;
      });
    } finally {
      await rm(temporary, { recursive: true, force: true });
    }
    return await matricesOf(entry, matrices, scheme);
  } catch (error) {
    throw explain(error, folder);
  }
}

/** An entry of the cache. */
export interface CacheEntry {
  readonly name: string;
  readonly folder: string;
  readonly dtype: string;
  readonly source: string;
  readonly bytes: number;
  readonly created: string;
}

/** What the cache holds; entries of other versions and unfinished ones have no dtype. */
export async function listCache(folder = cacheFolder()): Promise<CacheEntry[]> {
  const root = join(folder, "quantized");
  const names = await readdir(root).catch(() => []);
  const entries: CacheEntry[] = [];
  for (const name of names.sort()) {
    const at = join(root, name);
    const about = await readAbout(at);
    const size = await stat(join(at, WEIGHTS)).then(
      (stats) => stats.size,
      () => 0,
    );
    const { dtype = "", source = "", created = "" } = about ?? {};
    entries.push({ name, folder: at, dtype, source, bytes: about?.bytes ?? size, created });
  }
  return entries;
}

/** Empties the cache. @returns The bytes that were in it. Running sessions keep what they have mapped. */
export async function clearCache(folder = cacheFolder()): Promise<number> {
  const entries = await listCache(folder);
  for (const name of ["quantized", "content"]) await rm(join(folder, name), { recursive: true, force: true });
  return entries.reduce((sum, { bytes }) => sum + bytes, 0);
}

async function readAbout(entry: string): Promise<About | null> {
  try {
    const about = JSON.parse(await readFile(join(entry, ABOUT), "utf8")) as About;
    return about.version === VERSION && Array.isArray(about.checksums) ? about : null;
  } catch {
    return null;
  }
}

async function isIntact(entry: string): Promise<boolean> {
  const about = await readAbout(entry);
  const path = join(entry, WEIGHTS);
  const size = await stat(path).then(
    (stats) => stats.size,
    () => -1,
  );
  if (about === null || about.bytes !== size) return false;
  const found = await checksums(path);
  return found.length === about.checksums.length && found.every((sum, i) => sum === about.checksums[i]);
}

async function matricesOf(
  entry: string,
  matrices: readonly TensorRange[],
  scheme: BlockScheme,
): Promise<ReadonlyMap<string, QuantizedMatrix>> {
  const { tensors } = await readSafetensorsHeader(join(entry, WEIGHTS));
  // The content's hash leaves out the wrapper's prefix, so an entry may be another wrapper's.
  const find = (name: string): TensorRange => {
    const other = name.startsWith("model.") ? name.slice("model.".length) : `model.${name}`;
    const range = tensors.get(name) ?? tensors.get(other);
    if (range === undefined) throw new Error(`${entry}: expected tensor ${name}, got none`);
    return range;
  };
  return new Map(
    matrices.map(({ name }) => {
      const names = quantizedNames(name);
      return [name, { ...scheme, weights: find(names.weights), scales: find(names.scales) }];
    }),
  );
}

/** Who quantizes writes all the time: what has not been written to for this long is nobody's. */
const ABANDONED_MS = 600_000;

/** Removes what processes that are gone, or whose number another process has now, have left unfinished. */
async function removeAbandoned(root: string): Promise<void> {
  for (const name of await readdir(root)) {
    const pid = Number(TEMPORARY.exec(name)?.[1]);
    if (Number.isNaN(pid) || pid === process.pid) continue;
    const written = await stat(join(root, name, WEIGHTS)).catch(() => stat(join(root, name)));
    if (!isProcessAlive(pid) || Date.now() - written.mtimeMs > ABANDONED_MS) {
      await rm(join(root, name), { recursive: true, force: true });
    }
  }
}

async function requireSpace(root: string, bytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(root);
  if (bavail * bsize >= bytes) return;
  throw diskFull(root, `${gigabytes(bytes)} free`, gigabytes(bavail * bsize));
}

const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(bytes < 1e8 ? 3 : 1)} GB`;

function diskFull(folder: string, expected: string, got: string): InputError {
  return new InputError(
    "disk-full",
    `quantized weights: expected ${expected} at ${folder}, got ${got}`,
    "make room (armorm cache lists what it holds), or name another folder with ARMORM_CACHE",
  );
}

function explain(error: unknown, folder: string): unknown {
  const { code } = error as NodeJS.ErrnoException;
  if (code === "ENOSPC" || code === "EDQUOT") return diskFull(folder, "room for them", "a full disk");
  if (code === "EACCES" || code === "EROFS" || code === "EPERM" || code === "ENOTDIR" || code === "EEXIST") {
    return new InputError(
      "cache-not-writable",
      `quantized weights: expected a writable folder at ${folder}, got ${code}`,
      "name another folder with ARMORM_CACHE",
    );
  }
  return error;
}
