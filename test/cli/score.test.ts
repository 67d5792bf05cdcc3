import { spawn } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runCli } from "../run-cli.ts";
import { writeSmallModel } from "./small-model.ts";

const folder = mkdtempSync(join(tmpdir(), "armorm-score-"));
const at = (name: string) => join(folder, name);
const main = join(import.meta.dirname, "../../dist/cli/main.js");
const conversation = (i: number) => ({
  id: `c${i}`,
  prompt: `Name ${i} colours.`,
  response: `Here they are: ${"red, green, ".repeat(1 + (i % 5))}blue.`,
});
const rows = (n: number) => Array.from({ length: n }, (_, i) => JSON.stringify(conversation(i)));
const write = (name: string, lines: readonly string[]): string => {
  writeFileSync(at(name), lines.join("\n"));
  return at(name);
};
const score = (...args: string[]) => runCli(["score", "--model", at("model"), ...args]);
const parse = (jsonl: string) =>
  jsonl
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));

beforeAll(() => writeSmallModel(at("model")));
afterAll(() => rmSync(folder, { recursive: true }));

test("scores carry ratings on the scale of those objectives that have one", async () => {
  const file = write("one.jsonl", rows(3));
  const results = parse((await score(file, "--json")).stdout);
  for (const { rewards, ratings } of results) {
    expect(ratings).toEqual({ kind: rewards.kind * 4 + 1 });
  }
  const people = await score(file);
  expect(people.stdout).toContain(`rating ${(results[0].rewards.kind * 4 + 1).toFixed(2)}`);
});

test("--limit scores the first rows, from a file and from a pipe", async () => {
  const file = write("limited.jsonl", rows(20));
  expect(parse((await score(file, "--json", "--limit", "3")).stdout)).toMatchObject([
    { id: "c0", index: 0 },
    { id: "c1", index: 1 },
    { id: "c2", index: 2 },
  ]);
  const piped = await runCli(["score", "--model", at("model"), "--json", "--limit", "1"], {
    input: rows(20).join("\n"),
  });
  expect(piped).toMatchObject({ code: 0, stdout: expect.stringMatching(/^\{"id":"c0".*\n$/) });
});

test("a killed run continues where it stopped, and ends with the bytes of a run that was not", async () => {
  const file = write("many.jsonl", [...rows(150), "{broken", ...rows(150)]);
  const whole = await score(file, "--out", at("whole.jsonl"));
  expect(whole).toMatchObject({ code: 2, stdout: "" });
  expect(parse(readFileSync(at("whole.jsonl"), "utf8"))[150]).toMatchObject({
    index: 150,
    error: expect.stringMatching(/^line 151: malformed JSON/),
  });

  const killed = runCli(["score", "--model", at("model"), file, "--out", at("killed.jsonl")]);
  const size = () => (existsSync(at("killed.jsonl")) ? statSync(at("killed.jsonl")).size : 0);
  while (size() === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  killed.kill();
  expect((await killed).code).toBeNull();
  expect(size()).toBeLessThan(statSync(at("whole.jsonl")).size);
  const resumed = await score(file, "--out", at("killed.jsonl"));
  expect(resumed).toMatchObject({ code: 2, stderr: expect.stringMatching(/1 of 301 rows could not be/) });
  expect(readFileSync(at("killed.jsonl"), "utf8")).toBe(readFileSync(at("whole.jsonl"), "utf8"));

  const again = await score(file, "--out", at("whole.jsonl"));
  expect(again.stderr).toMatch(/301 rows, all there already/);
});

test("a half-written last line is dropped, and a limit can be raised", async () => {
  const file = write("grown.jsonl", rows(40));
  const out = at("grown-scores.jsonl");
  await score(file, "--out", out, "--limit", "20");
  const bytes = statSync(out).size;
  expect((await score(file, "--out", out)).code).toBe(0);
  const whole = readFileSync(out, "utf8");
  expect(parse(whole)).toHaveLength(40);
  for (const cut of [bytes + 100, bytes - 100, 10, 0]) {
    truncateSync(out, cut);
    expect((await score(file, "--out", out)).code).toBe(0);
    expect(readFileSync(out, "utf8")).toBe(whole);
  }
});

test("--out refuses files of another kind, and results of other data, models or options", async () => {
  const file = write("owned.jsonl", rows(12));
  const mine = write("notes.txt", ["mine"]);
  expect(await score(file, "--out", mine)).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/got a file of another kind\n {7}choose another name/),
  });
  expect(readFileSync(mine, "utf8")).toBe("mine");

  const out = at("owned-scores.jsonl");
  await score(file, "--out", out);
  const before = readFileSync(out, "utf8");
  const other = write("other.jsonl", rows(13).slice(1));
  expect(await score(other, "--out", out)).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/expected the rows that its first 12 results come from, got others/),
  });
  await writeSmallModel(at("other-model"), 2);
  for (const args of [
    ["score", "--model", at("other-model"), file],
    ["score", "--model", at("model"), "--bos", "off", file],
    ["score", "--model", at("model"), "--explain-tokens", file],
  ]) {
    expect(await runCli([...args, "--out", out])).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/got results of another command, model, data or options/),
    });
  }
  // The same model under another name is the same run.
  cpSync(at("model"), at("moved-model"), { recursive: true });
  expect((await runCli(["score", "--model", at("moved-model"), file, "--out", out])).code).toBe(0);
  expect(readFileSync(out, "utf8")).toBe(before);
  expect((await score(file, "--out", at("no/such/folder.jsonl"))).code).toBe(2);
});

test("--embeddings gives the scores of the text, twice per pair, and refuses ratings by name", async () => {
  const pairs = Array.from({ length: 6 }, (_, i) => ({
    id: i,
    prompt: `Is ${i} even?`,
    chosen: i % 2 === 0 ? "Yes, it is." : "No, it is odd.",
    rejected: "Perhaps.",
    subset: "parity",
  }));
  const data = write(
    "pairs.jsonl",
    pairs.map((pair) => JSON.stringify(pair)),
  );
  const embed = (from: string, to: string) =>
    runCli(["embed", "--backbone", "tiny", "--data", from, "--out", at(to)]);
  expect((await embed(data, "pairs")).code).toBe(0);
  const results = parse((await score("--embeddings", at("pairs"), "--json")).stdout);
  const text = write(
    "pairs-as-conversations.jsonl",
    pairs.flatMap(({ id, prompt, chosen, rejected }) =>
      [chosen, rejected].map((response) => JSON.stringify({ id, prompt, response })),
    ),
  );
  const expected = parse((await score(text, "--json")).stdout);
  expect(results).toHaveLength(12);
  for (const [i, result] of results.entries()) {
    expect(result).toMatchObject({
      id: i >> 1,
      index: i >> 1,
      response: ["chosen", "rejected"][i % 2],
      subset: "parity",
      score: expected[i].score,
      ratings: expected[i].ratings,
    });
    expect(result.responseTokens).toBeGreaterThan(0);
  }
  expect((await score("--embeddings", at("pairs"), "--limit", "1")).stdout).toMatch(
    /^0 chosen .*\n[\s\S]*0 rejected/,
  );

  const rated = write("rated.jsonl", [
    JSON.stringify({ prompt: "Hi", response: "Hello!", ratings: { kind: 1 } }),
    JSON.stringify({ prompt: "Hi", response: "Go.", ratings: { kind: 0 } }),
  ]);
  expect((await embed(rated, "rated")).code).toBe(0);
  expect(await score("--embeddings", at("rated"))).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(
      /got ratings, which hold no prompt embedding for the gate\n {7}embed preference/,
    ),
  });
  expect((await score(data, "--embeddings", at("pairs"))).stderr).toMatch(/expected --embeddings alone/);
});

test("--explain-tokens shows text, ids, BOS, gating token and response without running the backbone", async () => {
  const file = write("explained.jsonl", [
    JSON.stringify({ id: "a", prompt: "Name a prime.", response: "Seven.\u001b[31m" }),
    JSON.stringify({ prompt: "Hi" }),
  ]);
  const { stdout, code } = await score(file, "--explain-tokens", "--json");
  const [explained, failed] = parse(stdout);
  expect(code).toBe(2);
  expect(failed).toMatchObject({ index: 1, error: expect.stringMatching(/^line 2: /) });
  expect(explained).toMatchObject({
    id: "a",
    index: 0,
    bos: "on",
    bosRule: "template",
    bosOutcome: "written",
  });
  expect(explained.text).toContain("Name a prime.");
  expect(explained.tokenStrings).toHaveLength(explained.ids.length);
  expect(explained.tokenStrings[0]).toBe("<|begin_of_text|>");
  expect(explained.tokenStrings[explained.gatingPosition]).toBe("<|eot_id|>");
  expect(explained.tokenStrings.slice(explained.responseStart).join("")).toMatch(/^S.*<\|eot_id\|>$/);
  const [scored] = parse((await score(file, "--json")).stdout);
  expect(scored.tokens).toBe(explained.ids.length);

  const people = (await score(file, "--explain-tokens", "--limit", "1")).stdout;
  expect(people).toMatch(/^a {2}\d+ tokens, \d+ of them the response\nBOS on \(/);
  expect(people).toContain("BOS on (the chat template writes it): written by the template");
  expect(people).toMatch(/<\|eot_id\|> +← gating token/);
  expect(people).not.toContain("\u001b");
  const without = (await score(file, "--explain-tokens", "--bos", "off", "--limit", "1")).stdout;
  expect(without).toContain(
    "BOS off (asked for with --bos, now or when the model was trained): taken out of",
  );
});

test("a reader that has seen enough ends the run quietly", async () => {
  const file = write("piped.jsonl", rows(60));
  const command = `"${process.execPath}" "${main}" score --model "${at("model")}" "${file}" --json`;
  const shell = spawn("bash", ["-c", `set -o pipefail; ${command} | head -1`]);
  let [out, err] = ["", ""];
  shell.stdout.on("data", (text) => {
    out += text;
  });
  shell.stderr.on("data", (text) => {
    err += text;
  });
  const code = await new Promise((resolve) => shell.on("close", resolve));
  expect({ code, err }).toEqual({ code: 0, err: "" });
  expect(parse(out)).toMatchObject([{ id: "c0" }]);
});

test("Ctrl-C ends after the current batch with code 130 and says how to go on", async () => {
  const file = write("interrupted.jsonl", rows(400));
  const run = (...args: string[]) => {
    const child = spawn(process.execPath, [main, "score", "--model", at("model"), ...args]);
    let stderr = "";
    child.stderr.on("data", (text) => {
      stderr += text;
    });
    const closed = new Promise((resolve) => child.on("close", resolve));
    return { child, end: async () => ({ code: await closed, stderr }) };
  };
  const out = at("interrupted-scores.jsonl");
  const { child, end } = run(file, "--out", out);
  while (!existsSync(out) || statSync(out).size === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  child.kill("SIGINT");
  expect(await end()).toMatchObject({
    code: 130,
    stderr: expect.stringMatching(/stopped after \d+ rows; the same command continues .*scores\.jsonl/),
  });
  const results = parse(readFileSync(out, "utf8"));
  expect(results.length).toBeLessThan(400);
  expect(results.map(({ index }) => index)).toEqual(results.map((_, i) => i));

  // Nobody writes into this pipe, and nobody closes it; what has come is answered.
  const waiting = run("--json");
  const answered = new Promise<string>((resolve) =>
    waiting.child.stdout.once("data", (text) => resolve(`${text}`)),
  );
  waiting.child.stdin.write(`${rows(1)[0]}\n`);
  expect(JSON.parse(await answered)).toMatchObject({ id: "c0" });
  waiting.child.kill("SIGINT");
  expect(await waiting.end()).toMatchObject({ code: 130, stderr: expect.stringMatching(/after 1 row;/) });
});

test("--strict stops at the first bad row and keeps what came before", async () => {
  const file = write("strict.jsonl", [...rows(3), "{}", ...rows(2)]);
  const out = at("strict-scores.jsonl");
  expect(await score(file, "--strict", "--out", out)).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/error: line 4: row: expected messages, or prompt and response/),
  });
  expect(parse(readFileSync(out, "utf8"))).toHaveLength(3);
  await score(file, "--out", out);
  expect(parse(readFileSync(out, "utf8")).map(({ error }) => error !== undefined)).toEqual([
    false,
    false,
    false,
    true,
    false,
    false,
  ]);
});

test("a long job begins with a line that says how long it is; a short one does not", async () => {
  const long = await score(write("long.jsonl", Array(1000).fill("{}")));
  expect(long.stderr).toMatch(/^scoring 1,000 rows\n/);
  const short = await score(write("short.jsonl", rows(2)));
  expect(short.stderr).toBe("");
});
