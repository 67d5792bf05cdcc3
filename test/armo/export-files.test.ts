import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { exportCheckpoint } from "../../src/armo/export-checkpoint.ts";
import { publishedConfig } from "../../src/armo/published-config.ts";
import { publishedTensors } from "../../src/armo/published-tensors.ts";
import { verifyExport } from "../../src/armo/verify-export.ts";
import { openCheckpoint } from "../../src/checkpoint/checkpoint.ts";
import { readSafetensors, type Tensor, writeSafetensors } from "../../src/checkpoint/safetensors.ts";
import { overBackbone, randomHeads } from "./random-heads.ts";

const golden = join(import.meta.dirname, "../golden");
const folder = mkdtempSync(join(tmpdir(), "armorm-export-files-"));
const at = (name: string) => join(folder, name);
afterAll(() => rmSync(folder, { recursive: true }));

describe("what was written is read back", () => {
  const source = join(golden, "backbones/llama-causal-f32");
  const heads = randomHeads(64);
  const changed = async (name: string, change: (tensors: Map<string, Tensor>) => void) => {
    cpSync(at("whole"), at(name), { recursive: true });
    const file = join(at(name), "model.safetensors");
    const tensors = await readSafetensors(file);
    change(tensors);
    await writeSafetensors(file, tensors, { format: "pt" });
    const checkpoint = await openCheckpoint(source);
    return verifyExport(
      at(name),
      publishedConfig(checkpoint.config, heads, null),
      publishedTensors(checkpoint.tensors, heads, "f32"),
    );
  };
  beforeAll(() => exportCheckpoint(overBackbone(source, heads), { out: at("whole") }));

  test.each<[string, (tensors: Map<string, Tensor>) => void, string]>([
    [
      "a number of the heads",
      (t) => {
        (t.get("gating.layers.1.bias")!.data as Float32Array)[2]! += 1;
      },
      "gating.layers.1.bias",
    ],
    [
      "a number of the backbone",
      (t) => {
        (t.get("model.norm.weight")!.data as Float32Array)[0]! += 1;
      },
      "backbone's values",
    ],
    ["a tensor too few", (t) => t.delete("gating.logit_scale"), "gating.logit_scale F32 [1]"],
    [
      "a tensor too many",
      (t) => t.set("more", { dtype: "F32", shape: [1], data: new Float32Array(1) }),
      "got more",
    ],
    [
      "another shape",
      (t) => t.set("reward_transform_matrix", { ...t.get("reward_transform_matrix")!, shape: [9] }),
      "reward_transform_matrix F32 [3, 3] after writing, got F32 [9]",
    ],
    [
      "another type",
      (t) => t.set("gating.logit_scale", { dtype: "I32", shape: [1], data: new Int32Array(1) }),
      "got I32 [1]",
    ],
  ])("and refused with %s", async (what, change, message) => {
    await expect(changed(what, change)).rejects.toMatchObject({
      code: "export-not-verified",
      message: expect.stringContaining(message),
    });
  });

  test("and accepted as it is", async () => {
    expect(await changed("same", () => {})).toBe((await openCheckpoint(source)).fingerprint);
  });
});

test("a licence that stands in its text alone is told by the text", async () => {
  const name = "licence-text";
  cpSync(join(golden, "backbones/llama-causal-f32"), at(name), { recursive: true });
  writeFileSync(join(at(name), "LICENSE"), "META LLAMA 3 COMMUNITY LICENSE AGREEMENT\n\nThe rest.\n");
  await exportCheckpoint(overBackbone(at(name), randomHeads(64)), { out: at(`${name}-out`) });
  const card = readFileSync(join(at(`${name}-out`), "README.md"), "utf8");
  expect(card).toContain("**Built with Meta Llama 3**");
  expect(card).toContain("begins with “Llama 3”");
  expect(card).not.toMatch(/^license:/m);
});

test.each<[string, RegExp | null, RegExp | null]>([
  [
    "llama3",
    /^\*\*Built with Meta Llama 3\*\*$/m,
    /^Meta Llama 3 is licensed under the Meta Llama 3 Community License/,
  ],
  [
    "llama3.1",
    /^\*\*Built with Llama\*\*$/m,
    /^Llama 3\.1 is licensed under the Llama 3\.1 Community License/,
  ],
  ["gemma", null, /^Gemma is provided under and subject to the Gemma Terms of Use/],
  ["mit", null, null],
])("the licence %s is named, with what it asks for", async (licence, badge, notice) => {
  const name = `licence-${licence}`;
  cpSync(join(golden, "backbones/llama-causal-f32"), at(name), { recursive: true });
  writeFileSync(join(at(name), "README.md"), `---\nlicense: ${licence}\n---\n# A backbone\n`);
  writeFileSync(join(at(name), "LICENSE"), "The text.\n");
  const out = at(`${name}-out`);
  const result = await exportCheckpoint(overBackbone(at(name), randomHeads(64)), { out });
  expect(result.licence).toBe(licence);
  const card = readFileSync(join(out, "README.md"), "utf8");
  expect(card).toContain(`license: ${licence}`);
  if (badge) expect(card).toMatch(badge);
  else expect(card).not.toContain("Built with");
  expect(readFileSync(join(out, "LICENSE"), "utf8")).toBe("The text.\n");
  if (notice) expect(readFileSync(join(out, "NOTICE"), "utf8")).toMatch(notice);
  else expect(existsSync(join(out, "NOTICE"))).toBe(false);
});
