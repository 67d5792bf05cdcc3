// The tensors of a Hugging Face directory: one model.safetensors, or shards named by model.safetensors.index.json.

import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { InputError } from "../errors.ts";
import { readSafetensorsHeader, type SafetensorsHeader, type TensorRange } from "./safetensors-header.ts";

export const SINGLE = "model.safetensors";
export const INDEX = "model.safetensors.index.json";

/**
 * Finds every tensor of a checkpoint directory, by name, without reading any.
 *
 * @throws {InputError} `missing-tensors` when the directory holds no safetensors weights; `unsafe-path` when the index
 * names a shard by anything but a plain file name; `missing-tensor` when a shard lacks what the index promises;
 * `malformed-json`, `malformed-safetensors`, `missing-file`.
 */
export async function findTensors(directory: string): Promise<Map<string, TensorRange>> {
  const single = join(directory, SINGLE);
  if (existsSync(single)) return (await readSafetensorsHeader(single)).tensors;
  const index = join(directory, INDEX);
  if (existsSync(index)) return findShardedTensors(directory, index);
  throw new InputError(
    "missing-tensors",
    `${directory}: expected ${SINGLE} or ${INDEX}, got neither`,
    "download the safetensors files of the checkpoint; pickled weights (.bin, .pt) must be converted first",
  );
}

async function findShardedTensors(directory: string, index: string): Promise<Map<string, TensorRange>> {
  const shards = new Map<string, SafetensorsHeader>();
  const tensors = new Map<string, TensorRange>();
  for (const [name, file] of await readWeightMap(index)) {
    let shard = shards.get(file);
    if (shard === undefined) {
      shard = await readSafetensorsHeader(join(directory, file));
      shards.set(file, shard);
    }
    const range = shard.tensors.get(name);
    if (range === undefined) {
      throw new InputError(
        "missing-tensor",
        `${index}: expected tensor ${name} in ${file}, got none`,
        "index and shards do not belong together: download the checkpoint again",
      );
    }
    tensors.set(name, range);
  }
  return tensors;
}

/**
 * Reads which file holds which tensor, as pairs of tensor and file name.
 *
 * @throws {InputError} `unsafe-path` for anything but plain file names; `malformed-json`.
 */
export async function readWeightMap(index: string): Promise<[tensor: string, file: string][]> {
  const { weight_map: weightMap } = await readJsonObject(index);
  if (!isObject(weightMap)) throw malformedJson(index, "an object weight_map", typeof weightMap);
  return Object.entries(weightMap).map(([name, file]) => {
    if (typeof file !== "string") throw malformedJson(index, `a file name for ${name}`, typeof file);
    if (isPlainFileName(file)) return [name, file];
    throw new InputError(
      "unsafe-path",
      `${index}: expected plain file names in weight_map, got ${JSON.stringify(file)}`,
      "a checkpoint may only name files beside its index: do not use this one",
    );
  });
}

/** Reads a JSON file whose top level must be an object. */
export async function readJsonObject(path: string): Promise<Record<string, unknown>> {
  const text = await readFile(path, "utf8");
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw malformedJson(path, "JSON", (error as Error).message);
  }
  if (!isObject(value))
    throw malformedJson(path, "a JSON object", Array.isArray(value) ? "an array" : `${value}`);
  return value;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

// No separators of any platform, no drive letters, no dot names: the name cannot leave its folder.
function isPlainFileName(name: string): boolean {
  return name !== "" && name !== "." && name !== ".." && !/[/\\:\0]/.test(name);
}

function malformedJson(path: string, expected: string, got: string): InputError {
  return new InputError(
    "malformed-json",
    `${path}: expected ${expected}, got ${got}`,
    "the file is damaged: download or write it again",
  );
}
