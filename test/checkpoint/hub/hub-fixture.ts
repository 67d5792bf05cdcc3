// A cache, a hub and a repository on it, anew for every test.

import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, vi } from "vitest";
import { writeSafetensors } from "../../../src/checkpoint/safetensors-writer.ts";
import { type HubServer, readFiles, type ServedRepository, type StoredFile, startHub } from "./hub-server.ts";

let folder: string;
/** The folder of the cache. */
export let cache: string;
/** The folder whose files `org/name` serves: a checkpoint, among what else repositories hold. */
export let repository: string;
/** After `serve`. */
export let hub: HubServer;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "hub-"));
  cache = join(folder, "home/hub");
  repository = join(folder, "repository");
  const tokens = ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_HUB_CACHE", "HF_HUB_OFFLINE"];
  const proxies = ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "no_proxy", "NO_PROXY"];
  for (const name of [...tokens, ...proxies]) vi.stubEnv(name, undefined);
  vi.stubEnv("HF_HOME", join(folder, "home"));
  await writeRepository();
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await hub?.close();
  rmSync(folder, { recursive: true });
});

const WEIGHTS = 200_000;

/** A checkpoint among what else repositories hold. */
async function writeRepository(): Promise<void> {
  mkdirSync(join(repository, "original"), { recursive: true });
  mkdirSync(join(repository, "onnx"));
  const texts = {
    "config.json": '{"model_type":"llama"}',
    "generation_config.json": "{}",
    "tokenizer.json": '{"model":{}}',
    "tokenizer_config.json": '{"chat_template":"x"}',
    "README.md": "---\nlicense: mit\n---\n",
    "LICENSE.txt": "MIT",
    "pytorch_model.bin": "pickle",
    "model.gguf": "gguf",
    "original/params.json": "{}",
    "original/consolidated.00.pth": "pickle",
    "onnx/model.onnx": "onnx",
    ".gitattributes": "",
  };
  for (const [name, text] of Object.entries(texts)) writeFileSync(join(repository, name), text);
  const data = Float32Array.from({ length: WEIGHTS / 4 }, (_, i) => Math.sin(i));
  await writeSafetensors(join(repository, "model.safetensors"), {
    w: { dtype: "F32", shape: [data.length], data },
  });
}

/** The files of `org/name` that armorm reads. */
export const NEEDED = [
  "LICENSE.txt",
  "README.md",
  "config.json",
  "generation_config.json",
  "model.safetensors",
  "tokenizer.json",
  "tokenizer_config.json",
];

/** Starts the hub. @param tokens Those that it knows. */
export async function serve(
  options: Omit<ServedRepository, "directory"> = {},
  tokens: readonly string[] = [],
): Promise<void> {
  await serveAs("org/name", { directory: repository, ...options }, tokens);
}

/** Starts the hub with another repository. */
export async function serveAs(
  id: string,
  served: ServedRepository,
  tokens: readonly string[] = [],
): Promise<void> {
  hub = await startHub({ [id]: served }, { tokens });
  vi.stubEnv("HF_ENDPOINT", hub.endpoint);
}

/** A path in the cache of `org/name`. */
export const inRepository = (...path: string[]) => join(cache, "models--org--name", ...path);
export const weights = (): StoredFile =>
  readFiles(repository).find(({ name }) => name === "model.safetensors")!;

/** Every file and link below a folder, with where links point and what small files say. */
export function tree(directory: string): Record<string, string> {
  const entries = readdirSync(directory, { recursive: true, encoding: "utf8" }).map((name) => {
    const path = join(directory, name);
    const stats = lstatSync(path);
    if (stats.isSymbolicLink()) return [name, `-> ${readlinkSync(path)}`];
    if (stats.isDirectory()) return null;
    return [name, stats.size > 100 ? `${stats.size} bytes` : readFileSync(path, "utf8")];
  });
  return Object.fromEntries(entries.filter((entry) => entry !== null).sort());
}

export const failsWith = (code: string, text = "") =>
  expect.objectContaining({ name: "InputError", code, message: expect.stringContaining(text) });
