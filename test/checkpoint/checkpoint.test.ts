import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openCheckpoint } from "../../src/checkpoint/checkpoint.ts";
import {
  readSafetensors,
  readTensor,
  type Tensor,
  writeSafetensors,
} from "../../src/checkpoint/safetensors.ts";

const golden = new URL("../golden/backbones/llama-seqcls-bf16/", import.meta.url).pathname;

let folder: string;
beforeEach(async () => {
  folder = join(await mkdtemp(join(tmpdir(), "checkpoint-")), "copy");
  await cp(golden, folder, { recursive: true });
});
afterEach(() => rm(join(folder, ".."), { recursive: true }));

async function editConfig(edit: (config: Record<string, unknown>) => void): Promise<void> {
  const path = join(folder, "config.json");
  const config = JSON.parse(await readFile(path, "utf8"));
  edit(config);
  await writeFile(path, JSON.stringify(config));
}

async function editTensors(edit: (tensors: Map<string, Tensor>) => void): Promise<void> {
  const path = join(folder, "model.safetensors");
  const tensors = await readSafetensors(path);
  edit(tensors);
  await writeSafetensors(path, tensors);
}

test("a checkpoint opens with its config and every tensor", async () => {
  const { config, tensors, directory } = await openCheckpoint(folder);
  expect(config.model_type).toBe("llama");
  expect(tensors.get("score.weight")).toMatchObject({ dtype: "BF16", shape: [1, 48] });
  expect(tensors.get("model.norm.weight")!.file.startsWith(directory)).toBe(true);
});

test("shards and a single file give the same tensors and the same fingerprint", async () => {
  const single = await openCheckpoint(folder);
  const tensors = await readSafetensors(join(folder, "model.safetensors"));
  const sharded = join(folder, "..", "sharded");
  await mkdir(sharded);
  await cp(join(folder, "config.json"), join(sharded, "config.json"));
  const shards = [new Map<string, Tensor>(), new Map<string, Tensor>()];
  const weightMap: Record<string, string> = {};
  [...tensors].forEach(([name, tensor], i) => {
    shards[i % 2]!.set(name, tensor);
    weightMap[name] = `model-0000${(i % 2) + 1}-of-00002.safetensors`;
  });
  await writeSafetensors(join(sharded, "model-00001-of-00002.safetensors"), shards[0]!);
  await writeSafetensors(join(sharded, "model-00002-of-00002.safetensors"), shards[1]!);
  await writeFile(join(sharded, "model.safetensors.index.json"), JSON.stringify({ weight_map: weightMap }));

  const opened = await openCheckpoint(sharded);
  expect([...opened.tensors.keys()].sort()).toEqual([...single.tensors.keys()].sort());
  expect(opened.fingerprint).toBe(single.fingerprint);
  for (const [name, range] of opened.tensors) expect(await readTensor(range)).toEqual(tensors.get(name));
});

describe("the fingerprint stays the same when", () => {
  test("only bookkeeping in the config changes", async () => {
    const before = await openCheckpoint(folder);
    await editConfig((config) => {
      Object.assign(config, { _name_or_path: "elsewhere", use_cache: false, torch_dtype: "float32" });
      Object.assign(config, { transformers_version: "5.0.0", num_objectives: 19, gating_temperature: 10 });
    });
    expect((await openCheckpoint(folder)).fingerprint).toBe(before.fingerprint);
  });

  test("the heads change", async () => {
    const before = await openCheckpoint(folder);
    await editTensors((tensors) => {
      tensors.delete("score.weight");
      tensors.set("regression_layer.weight", { dtype: "F32", shape: [2], data: Float32Array.of(1, 2) });
    });
    expect((await openCheckpoint(folder)).fingerprint).toBe(before.fingerprint);
  });

  test("the tensors lose the prefix of a wrapped model", async () => {
    const before = await openCheckpoint(folder);
    await editTensors((tensors) => {
      for (const [name, tensor] of [...tensors]) {
        tensors.delete(name);
        if (name.startsWith("model.")) tensors.set(name.slice("model.".length), tensor);
      }
    });
    expect((await openCheckpoint(folder)).fingerprint).toBe(before.fingerprint);
  });
});

describe("the fingerprint changes when", () => {
  test.each(["rope_theta", "rms_norm_eps"])("%s changes", async (field) => {
    const before = await openCheckpoint(folder);
    await editConfig((config) => Object.assign(config, { [field]: 0.5 }));
    expect((await openCheckpoint(folder)).fingerprint).not.toBe(before.fingerprint);
  });

  test.each(["model.norm.weight", "model.layers.1.mlp.down_proj.weight"])(
    "%s changes by one bit",
    async (name) => {
      const before = await openCheckpoint(folder);
      await editTensors((tensors) => {
        (tensors.get(name)!.data as Uint16Array)[0]! ^= 1;
      });
      expect((await openCheckpoint(folder)).fingerprint).not.toBe(before.fingerprint);
    },
  );
});

describe("an unusable directory is named with its remedy:", () => {
  test("no directory", async () => {
    await expect(openCheckpoint(join(folder, "none"))).rejects.toMatchObject({ code: "missing-checkpoint" });
  });
  test("no config.json", async () => {
    await rm(join(folder, "config.json"));
    await expect(openCheckpoint(folder)).rejects.toMatchObject({ code: "missing-config" });
  });
  test("no weights", async () => {
    await rm(join(folder, "model.safetensors"));
    await expect(openCheckpoint(folder)).rejects.toMatchObject({ code: "missing-tensors" });
  });
  test.each(["[]", "{", "null"])("config.json that is %s", async (text) => {
    await writeFile(join(folder, "config.json"), text);
    await expect(openCheckpoint(folder)).rejects.toMatchObject({ code: "malformed-json" });
  });
  test("config.json that is a folder", async () => {
    await rm(join(folder, "config.json"));
    await mkdir(join(folder, "config.json"));
    await expect(openCheckpoint(folder)).rejects.toMatchObject({ code: "unreadable-file" });
  });
  test.each([
    "../model.safetensors",
    "/etc/hostname",
    "a/b.safetensors",
    "..\\x.safetensors",
    "C:x",
    "..",
    "",
  ])("an index that points at %j", async (file) => {
    await rm(join(folder, "model.safetensors"));
    const index = { weight_map: { "model.norm.weight": file } };
    await writeFile(join(folder, "model.safetensors.index.json"), JSON.stringify(index));
    await expect(openCheckpoint(folder)).rejects.toMatchObject({ code: "unsafe-path" });
  });
});

test("a tied checkpoint that stores its matrix as the output head opens like one that stores the embedding", async () => {
  await editConfig((config) => {
    config.tie_word_embeddings = true;
  });
  const stored = await openCheckpoint(folder);
  const matrix = await readTensor(stored.tensors.get("model.embed_tokens.weight")!);
  await editTensors((tensors) => {
    tensors.set("lm_head.weight", matrix);
    tensors.delete("model.embed_tokens.weight");
  });
  const tied = await openCheckpoint(folder);
  expect(await readTensor(tied.tensors.get("model.embed_tokens.weight")!)).toEqual(matrix);
  expect(tied.fingerprint).toBe(stored.fingerprint);
  await editConfig((config) => {
    config.tie_word_embeddings = false;
  });
  expect((await openCheckpoint(folder)).tensors.has("model.embed_tokens.weight")).toBe(false);
});
