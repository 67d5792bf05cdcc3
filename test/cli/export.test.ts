import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Tensor, writeSafetensors } from "../../src/checkpoint/safetensors.ts";
import { ort } from "../../src/engine/runtime.ts";
import { createRandom } from "../../src/random.ts";
import { runCli } from "../run-cli.ts";
import { writeFsfairxCheckpoint } from "../siblings/fsfairx-checkpoint.ts";
import { writeSmallModel } from "./small-model.ts";

const folder = mkdtempSync(join(tmpdir(), "armorm-cli-export-"));
const at = (...names: string[]) => join(folder, ...names);
afterAll(() => rmSync(folder, { recursive: true }));

const H = 256;
const row = `${JSON.stringify({ prompt: "Name a prime.", response: "Seven." })}\n`;

beforeAll(async () => {
  await writeSmallModel(at("model"));
  const random = createRandom(2);
  const noise = (...shape: number[]): Tensor => {
    const length = shape.reduce((product, size) => product * size, 1);
    return { dtype: "F32", shape, data: Float32Array.from({ length }, () => random.normal()) };
  };
  const prompts = noise(8, 2, H);
  const data = prompts.data as Float32Array;
  for (let i = 0; i < 8; i++) data.copyWithin((2 * i + 1) * H, 2 * i * H, (2 * i + 1) * H);
  await writeSafetensors(at("bench-test.safetensors"), {
    embeddings: noise(8, 2, H),
    prompt_embeddings: prompts,
  });
  await writeSafetensors(at("rated-00001-of-00001.safetensors"), {
    embeddings: noise(9, H),
    labels: noise(9, 19),
  });
});

describe("armorm export --merge", () => {
  test("writes a checkpoint that scores the same, and says what it is, that it is verified, and whose licence holds", async () => {
    const args = ["export", "--model", at("model"), "--merge", "--out", at("merged"), "--shard-size", "3MB"];
    const { code, stdout, stderr } = await runCli(args);
    expect(code, stderr).toBe(0);
    expect(stdout).toContain("LlamaForRewardModelWithGating, 43 tensors in 3 files, 6.8 MB");
    expect(stdout).toContain("licence: apache-2.0");
    expect(stdout).toContain("verified: every tensor's name, type and shape");
    expect(stderr).toMatch(/^writing 43 tensors, 6\.8 MB, 3 files$/m);
    const scores = await Promise.all(
      ["model", "merged"].map(async (name) => {
        const { model, ...score } = JSON.parse(
          (await runCli(["score", "--model", at(name), "--json"], { input: row })).stdout,
        );
        return score;
      }),
    );
    expect(scores[1]).toEqual(scores[0]);
    const again = await runCli(args);
    expect(again).toMatchObject({ code: 2, stderr: expect.stringContaining("expected an empty folder") });
  });

  test("--json is one document", async () => {
    const args = [
      "export",
      "--model",
      at("model"),
      "--merge",
      "--out",
      at("json"),
      "--heads-dtype",
      "bf16",
      "--json",
    ];
    expect(JSON.parse((await runCli(args)).stdout)).toMatchObject({
      format: "checkpoint",
      className: "LlamaForRewardModelWithGating",
      headsDtype: "bf16",
      tensors: 43,
      files: 1,
      licence: "apache-2.0",
      leftOut: [],
    });
    expect(readdirSync(at("json"))).toContain("model.safetensors");
  });

  test("refuses what is one checkpoint already", async () => {
    await writeFsfairxCheckpoint(at("scalar"));
    const { code, stderr } = await runCli(["export", "--model", at("scalar"), "--merge", "--out", at("no")]);
    expect([code, stderr]).toEqual([
      2,
      expect.stringContaining("expected an ArmoRM, got a Bradley–Terry checkpoint"),
    ]);
  });
});

test("armorm export --onnx writes heads that run, once", async () => {
  const args = ["export", "--model", at("model"), "--onnx", at("deep", "heads.onnx")];
  const { code, stdout, stderr } = await runCli(args);
  expect(code, stderr).toBe(0);
  expect(stdout).toContain("3 objectives over 256 numbers");
  const session = await ort.InferenceSession.create(at("deep", "heads.onnx"));
  const zeros = new ort.Tensor("float32", new Float32Array(H), [1, H]);
  const { score, gating_output } = await session.run({ embedding: zeros, prompt_embedding: zeros });
  expect([...(score!.data as Float32Array)]).toEqual([0]);
  const sum = [...(gating_output!.data as Float32Array)].reduce((total, share) => total + share, 0);
  expect(sum).toBeCloseTo(1, 6);
  await session.release();
  expect(await runCli(args)).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("got one that is there"),
  });
  expect(readdirSync(at("deep"))).toEqual(["heads.onnx"]);
});

test.each([
  [[], "expected one of --merge, --onnx FILE, --embeddings DIR, got none"],
  [["--merge", "--onnx", "x"], "got --merge and --onnx"],
  [["--merge", "--out", "x"], "export --merge: expected --model, got none"],
  [["--merge", "--model", "x"], "export --merge: expected --out, got none"],
  [["--onnx", "x", "--model", "y", "--shard-size", "1GB"], "expected its own options, got --shard-size"],
  [["--embeddings", "x", "--model", "y", "--out", "z"], "expected its own options, got --model"],
])("armorm export %s is refused in one line", async (args, message) => {
  const { code, stdout, stderr } = await runCli(["export", ...args]);
  expect([code, stdout, stderr]).toEqual([2, "", expect.stringContaining(message)]);
});

test("a size without a unit is no size", async () => {
  const args = ["export", "--merge", "--model", at("model"), "--out", at("size"), "--shard-size", "5"];
  expect(await runCli(args)).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("such as 5GB or 500MB"),
  });
  expect(existsSync(at("size"))).toBe(false);
});

describe("armorm import", () => {
  test("makes sets of which score and evaluate say what they know and no more", async () => {
    const pairs = await runCli([
      "import",
      at("bench-test.safetensors"),
      "--backbone",
      "tiny",
      "--out",
      at("pairs"),
    ]);
    expect(pairs.code, pairs.stderr).toBe(0);
    expect(pairs.stdout).toContain("8 of 8 pairs, 256 wide");
    expect(pairs.stderr).toContain("that tiny made them is taken on trust");
    expect(pairs.stderr).toContain("lengths of responses are unknown");

    const model = ["--model", at("model"), "--embeddings", at("pairs"), "--json"];
    const evaluation = JSON.parse((await runCli(["evaluate", "pairs", ...model])).stdout);
    expect(evaluation).toMatchObject({ n: 8, overlaps: null, subsets: { "bench-test": { n: 8 } } });
    expect(Object.keys(evaluation.baselines).sort()).toEqual(["regression mean", "uniform gate"]);
    const dropping = await runCli(["evaluate", "pairs", ...model, "--drop-overlaps"]);
    expect(dropping).toMatchObject({ code: 2, stderr: expect.stringContaining("got imported embeddings") });
    const scores = (await runCli(["score", ...model])).stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(scores).toHaveLength(16);
    expect(scores[0]).toMatchObject({ response: "chosen", responseTokens: null });
    const people = await runCli(["score", ...model.slice(0, -1)]);
    expect(people.stdout).not.toContain("NaN");
  });

  test("names the published model's 19 objectives when told that they are those", async () => {
    const args = [
      "import",
      at("rated-00001-of-00001.safetensors"),
      "--backbone",
      "tiny",
      "--out",
      at("rated"),
      "--json",
    ];
    const nameless = await runCli(args);
    expect(nameless).toMatchObject({ code: 2, stderr: expect.stringContaining("names for its 19 columns") });
    const { objectives } = JSON.parse((await runCli([...args, "--objectives", "published"])).stdout);
    expect(objectives).toHaveLength(19);
    expect(objectives[4]).toMatchObject({ name: "helpsteer-verbosity", source: "helpsteer", rows: 9 });
  });

  test("and export --embeddings writes them back under the set's name", async () => {
    const { code, stdout } = await runCli(["export", "--embeddings", at("rated"), "--out", at("back")]);
    expect(code).toBe(0);
    expect(stdout).toContain("9 rows of ratings in 1 file");
    expect(stdout).toContain("columns of the labels: helpsteer-helpfulness, helpsteer-correctness");
    expect(readdirSync(at("back"))).toEqual(["rated-00001-of-00001.safetensors"]);
  });
});
