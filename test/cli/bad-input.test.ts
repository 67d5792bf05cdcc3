import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { isInstalled } from "../../src/engine/devices.ts";
import { type CliResult, runCli } from "../run-cli.ts";

const folder = mkdtempSync(join(tmpdir(), "armorm-bad-"));
const at = (name: string) => join(folder, name);
const write = (name: string, text: string): string => {
  writeFileSync(at(name), text);
  return at(name);
};
const rating = (i: number, ratings: unknown = { quality: (i % 5) / 4 }) =>
  JSON.stringify({ prompt: `Question ${i}?`, response: `Answer ${"so ".repeat(i % 6)}${i}.`, ratings });
const pair = (i: number, chosen = `Yes, ${i}.`, rejected = "No.") =>
  JSON.stringify({ prompt: `Is it ${i}?`, chosen, rejected });
const rows = (n: number, row: (i: number) => string) =>
  Array.from({ length: n }, (_, i) => row(i)).join("\n");
const embed = (data: string, out: string, ...more: string[]) =>
  runCli(["embed", "--backbone", "tiny", "--data", data, "--out", at(out), ...more]);
const train = (...more: string[]) =>
  runCli(["train", "--ratings", at("ratings"), "--pairs", at("pairs"), "--out", at("model"), ...more]);

/** Exit code 2, one line that says what is wrong and one that says what to do, no stack. */
function expectBadInput({ code, stderr, stdout }: CliResult, what: RegExp): void {
  expect(stderr).toMatch(what);
  const lines = stderr.trimEnd().split("\n");
  expect(lines.at(-2)).toMatch(/^error: /);
  expect(lines.at(-1)).toMatch(/^ {7}\S/);
  expect(stderr).not.toMatch(/\n\s+at /);
  expect(stdout).toBe("");
  expect(code).toBe(2);
}

beforeAll(async () => {
  const done = await Promise.all([
    embed(write("ratings.jsonl", rows(40, rating)), "ratings"),
    embed(
      write(
        "pairs.jsonl",
        rows(40, (i) => pair(i)),
      ),
      "pairs",
    ),
  ]);
  expect(done.map(({ code }) => code)).toEqual([0, 0]);
});
afterAll(() => rmSync(folder, { recursive: true }));

test.each([
  ["an empty file", "", /expected rows, got an empty file/],
  ["JSON that never begins", "quality: 5", /line 1: malformed JSON/],
  [
    "ratings as text",
    rating(1, { quality: "5" }),
    /line 1: rating "quality": expected a number or null, got/,
  ],
  ["no objective", rating(1, {}), /expected numbers in ratings, attributes or labels, got none/],
  ["a NaN rating", rating(1, { quality: 0 }).replace("0}}", "NaN}}"), /NaN is not a JSON number/],
  [
    "an infinite rating",
    rating(1, { quality: 0 }).replace("0}}", "-Infinity}}"),
    /-Infinity is not a JSON number/,
  ],
  [
    "a rating that overflows",
    rating(1, { quality: 0 }).replace("0}}", "1e999}}"),
    /expected a finite number/,
  ],
  [
    "a pair with equal responses",
    pair(1, "Yes.", "Yes."),
    /expected two different responses, got equal ones/,
  ],
  [
    "a pair with two prompts",
    JSON.stringify({
      chosen: [
        { role: "user", content: "A?" },
        { role: "assistant", content: "Yes." },
      ],
      rejected: [
        { role: "user", content: "B?" },
        { role: "assistant", content: "No." },
      ],
    }),
    /expected the same prompt, got two/,
  ],
])("embed refuses a file with nothing but %s", async (name, text, what) => {
  const out = `out-${name.replaceAll(" ", "-")}`;
  expectBadInput(await embed(write(`${out}.jsonl`, text), out), what);
  expect(existsSync(at(out))).toBe(false);
});

test("a bad row among good ones is counted with its line, the others are embedded, and the exit code is 2", async () => {
  const data = write("one-bad.jsonl", [rating(0), "{broken", rating(2)].join("\n"));
  const { code, stdout } = await embed(data, "one-bad", "--json");
  const manifest = JSON.parse(stdout);
  expect(manifest).toMatchObject({ complete: true, rowsIn: 3, rowsOut: 2 });
  const reason = expect.stringMatching(/^one-bad\.jsonl: line 2: malformed JSON/);
  expect(manifest.rejections).toMatchObject([{ row: 1, kind: "invalid", reason }]);
  expect(code).toBe(2);
  expectBadInput(await embed(data, "one-bad-strict", "--strict"), /one-bad\.jsonl: line 2: malformed JSON/);
});

test("unknown objectives, unknown options and missing options are refused by name", async () => {
  expectBadInput(
    await embed(at("ratings.jsonl"), "unknown", "--objectives", "quality,charm"),
    /expected names that the data rates, got "charm"\n.*quality/,
  );
  expectBadInput(await train("--objectives", "charm"), /expected ones that are rated, got charm/);
  expectBadInput(await train("--debias", "charm"), /expected a fitted objective, got charm/);
  expect((await train("--objectives", "quality,quality")).stderr).toMatch(
    /expected each once, got quality twice/,
  );
  expectBadInput(await train("--validation-fraction", "0"), /expected a validation fraction above 0, got 0/);
  const misspelt = await train("--step", "3");
  expect(misspelt.code).toBe(2);
  expect(misspelt.stderr).toMatch(/unknown option '--step'[\s\S]*--steps/);
  expect((await runCli(["train"])).code).toBe(2);
  expect((await runCli(["score", "--model", "x", "--threads", "many"])).code).toBe(2);
});

test("a backbone folder without config, tensors or tokenizer is refused by what it lacks", async () => {
  const tiny = join(import.meta.dirname, "../../models/tiny");
  const without = (name: string, ...files: string[]) => {
    mkdirSync(at(name));
    cpSync(tiny, at(name), { recursive: true, filter: (path) => !files.some((file) => path.endsWith(file)) });
    return runCli([
      "embed",
      "--backbone",
      at(name),
      "--data",
      at("ratings.jsonl"),
      "--out",
      at(`${name}-out`),
    ]);
  };
  expectBadInput(await without("no-config", "/config.json"), /expected config\.json/);
  expectBadInput(await without("no-weights", "model.safetensors"), /safetensors/);
  expectBadInput(await without("no-tokenizer", "/tokenizer.json"), /tokenizer\.json/);
  expectBadInput(
    await runCli(["embed", "--backbone", at("nowhere"), "--data", at("ratings.jsonl"), "--out", at("x")]),
    /nowhere/,
  );
});

test("embeddings of another kind, width or backbone are refused", async () => {
  const swapped = ["train", "--ratings", at("pairs"), "--pairs", at("ratings"), "--out", at("model")];
  expectBadInput(await runCli(swapped), /expected embedded ratings, got pairs/);
  expectBadInput(
    await runCli(["train", "--ratings", folder, "--pairs", at("pairs"), "--out", at("m")]),
    /manifest/,
  );

  const foreign = at("foreign");
  cpSync(at("pairs"), foreign, { recursive: true });
  const manifest = JSON.parse(readFileSync(join(foreign, "manifest.json"), "utf8"));
  const save = () => writeFileSync(join(foreign, "manifest.json"), JSON.stringify(manifest));
  manifest.backbone.fingerprint = "0".repeat(64);
  save();
  const mixed = ["train", "--ratings", at("ratings"), "--pairs", foreign, "--out", at("model")];
  expectBadInput(await runCli(mixed), /expected the backbone and chat of/);

  expect((await train("--steps", "3", "--hidden-dim", "8")).code).toBe(0);
  const evaluate = ["evaluate", "pairs", "--model", at("model"), "--embeddings", foreign];
  expectBadInput(await runCli(evaluate), /expected the backbone of/);
  manifest.backbone.hiddenSize = 128;
  save();
  expectBadInput(await runCli(evaluate), /expected embeddings 256 wide, got 128/);

  const golden = join(import.meta.dirname, "../golden/backbones/llama-causal-f32");
  const score = ["score", "--model", at("model"), "--backbone", golden, at("conversations.jsonl")];
  write("conversations.jsonl", rating(1));
  expectBadInput(await runCli(score), /expected a backbone 256 wide, got/);
});

test("an output path that is a file, lies below one, or is empty is refused", async () => {
  write("file.txt", "mine");
  expectBadInput(
    await embed(at("ratings.jsonl"), "file.txt"),
    /expected a folder to write at .*file\.txt, got a file/,
  );
  expectBadInput(await embed(at("ratings.jsonl"), "file.txt/below"), /got a path below a file/);
  const args = ["train", "--ratings", at("ratings"), "--pairs", at("pairs"), "--out"];
  expectBadInput(await runCli([...args, at("file.txt")]), /got a file/);
  expectBadInput(await runCli([...args, ""]), /expected a folder to write at an empty path/);
});

test("an output folder that holds something else is left alone", async () => {
  expectBadInput(await embed(at("pairs.jsonl"), "ratings"), /got embeddings of other data or options/);
  mkdirSync(at("full"));
  write("full/notes.txt", "mine");
  expectBadInput(
    await embed(at("ratings.jsonl"), "full"),
    /expected an empty folder, got one that holds notes\.txt/,
  );
  const args = ["train", "--ratings", at("ratings"), "--pairs", at("pairs"), "--out", at("full")];
  expectBadInput(await runCli(args), /expected an empty folder/);
  expectBadInput(await runCli([...args, "--overwrite"]), /expected an empty folder/);
  expect(readFileSync(at("full/notes.txt"), "utf8")).toBe("mine");
});

test.skipIf(isInstalled("cuda"))("a device that is not installed is refused", async () => {
  const result = await embed(write("one.jsonl", pair(1)), "none", "--device", "cuda");
  expectBadInput(result, /^error: device cuda: expected .*, got /m);
});

test("a device that does not start is refused with what it answered", async () => {
  const file = write("one.jsonl", pair(1));
  for (const name of ["VK_DRIVER_FILES", "VK_ICD_FILENAMES"]) vi.stubEnv(name, at("no-such-driver.json"));
  const { code, stderr } = await embed(file, "none", "--device", "webgpu").finally(() => vi.unstubAllEnvs());
  const [what, remedy] = stderr.trimEnd().split("\n").slice(-2); // Drivers write what they like before it.
  expect(what).toMatch(/^error: device webgpu: expected .*, got.*\S$/);
  expect(remedy).toMatch(/^ {7}.*--device cpu/);
  expect(code).toBe(2);
});
