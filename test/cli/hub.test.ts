import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { EMBEDDED_DIRECTORY } from "../../src/checkpoint/location.ts";
import { openModelDirectory, openRewardModel, pull } from "../../src/index.ts";
import { type HubServer, startHub } from "../checkpoint/hub/hub-server.ts";
import { runCli } from "../run-cli.ts";
import { writeSmallModel } from "./small-model.ts";

// The child process of an isolated model runs TypeScript here.
process.execArgv.push("--import", "tsx");

const folder = mkdtempSync(join(tmpdir(), "cli-hub-"));
const at = (name: string) => join(folder, name);
const rows = at("rows.jsonl");
let hub: HubServer;

beforeAll(async () => {
  await writeSmallModel(at("model"));
  await writeSmallModel(at("model-on-hub-backbone"));
  const config = JSON.parse(readFileSync(at("model/config.json"), "utf8"));
  config.backbone.location = "org/tiny";
  writeFileSync(at("model-on-hub-backbone/config.json"), JSON.stringify(config));
  writeFileSync(rows, `${JSON.stringify({ prompt: "Name a prime.", response: "Seven." })}\n`);
  hub = await startHub({
    "org/model": at("model"),
    "org/both": at("model-on-hub-backbone"),
    "org/tiny": { directory: EMBEDDED_DIRECTORY, revisions: ["main", "v1"] },
  });
  for (const name of ["HF_TOKEN", "HF_HUB_CACHE", "HF_HUB_OFFLINE", "http_proxy", "HTTP_PROXY"]) {
    vi.stubEnv(name, undefined);
  }
  vi.stubEnv("HF_ENDPOINT", hub.endpoint);
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await hub.close();
  rmSync(folder, { recursive: true });
});

/** A cache of its own for the test. */
function useCache(name: string): string {
  vi.stubEnv("HF_HOME", at(name));
  hub.log.length = 0;
  return join(at(name), "hub");
}

test("armorm pull says what it costs and what is there, as JSON with --json", async () => {
  const cache = useCache("pulled");
  const first = await runCli(["pull", "org/tiny@v1"]);
  const commit = hub.commitOf("org/tiny");
  const directory = join(cache, "models--org--tiny/snapshots", commit);
  expect(first).toMatchObject({
    code: 0,
    stdout: expect.stringContaining(`org/tiny@${commit}: 5 files, 7.0 MB`),
  });
  expect(first.stderr).toContain(
    `downloading 5 files, 7.0 MB, of org/tiny@v1 (commit ${commit.slice(0, 12)}) to ${directory}`,
  );
  const { code, stdout, stderr } = await runCli(["pull", "org/tiny@v1", "--json"]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  const pulled = JSON.parse(stdout);
  expect(pulled).toMatchObject({ id: "org/tiny", revision: "v1", commit, directory });
  expect(pulled.files).toContainEqual({
    name: "model.safetensors",
    bytes: statSync(join(EMBEDDED_DIRECTORY, "model.safetensors")).size,
    from: "cache",
  });
});

test("errors are one line, a remedy and exit code 2", async () => {
  useCache("errors");
  for (const [name, text] of [
    [
      "org/none",
      /^error: org\/none: expected a folder of that name or a repository at .*\n {7}check the spelling/,
    ],
    ["org/tiny@v9", /^error: org\/tiny: expected the branch, tag or commit v9/],
    ["none", /^error: none: expected org\/name/],
  ] as const) {
    expect(await runCli(["pull", name])).toMatchObject({
      code: 2,
      stdout: "",
      stderr: expect.stringMatching(text),
    });
  }
  const scored = await runCli(["score", "--model", "a/b/c", rows]);
  expect(scored).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/expected a directory, a repository org\/name/),
  });
});

test("what is mistyped or missing is told before anything large is downloaded", async () => {
  const runs = [
    ["score", "--model", "org/model", "none.jsonl"],
    ["embed", "--backbone", "org/tiny", "--data", "x=none.jsonl", "--out", at("never")],
    ["verify", "org/model", "--card", "none.jsonl"],
    ["verify", "org/model"],
    ["evaluate", "pairs", "--model", "org/model"],
  ];
  useCache("mistyped");
  for (const args of runs) {
    const { code, stderr } = await runCli(args);
    expect(code).toBe(2);
    expect(stderr).toMatch(/^error: .*(none\.jsonl|expected verify\.json|expected one of --data)/m);
  }
  expect(hub.downloads()).not.toContain("model.safetensors");
});

test("Ctrl-C and a kill leave what is there, and the next pull goes on with it", async () => {
  const cache = useCache("stopped");
  const blobs = join(cache, "models--org--tiny/blobs");
  const partial = () =>
    (existsSync(blobs) ? readdirSync(blobs) : []).find((name) => name.endsWith(".incomplete"));
  // Small files come and go meanwhile.
  const size = () => statSync(join(blobs, partial() ?? "none"), { throwIfNoEntry: false })?.size ?? 0;
  for (const [signal, code] of [
    ["SIGINT", 130],
    ["SIGKILL", null],
  ] as const) {
    const before = size();
    hub.fail({ path: /^\/blob/, cutAfter: 2_000_000, stall: true });
    const running = runCli(["pull", "org/tiny"]);
    while (size() < before + 1_000_000) await new Promise((resolve) => setTimeout(resolve, 10));
    running.kill(signal);
    const ended = await running;
    expect(ended.code).toBe(code);
    if (signal === "SIGINT") expect(ended.stderr).toContain("stopped; the same command goes on");
  }
  const kept = size();
  expect(await runCli(["pull", "org/tiny"])).toMatchObject({ code: 0 });
  expect(hub.log.at(-1)).toMatchObject({ host: "cdn", range: `bytes=${kept}-` });
  expect(partial()).toBeUndefined();
});

test("of two processes at once, one downloads and the other waits for it", async () => {
  useCache("together");
  hub.fail({ path: /^\/blob/, cutAfter: 1_000_000 });
  const both = await Promise.all([runCli(["pull", "org/tiny"]), runCli(["pull", "org/tiny"])]);
  expect(both.map(({ code }) => code)).toEqual([0, 0]);
  expect(hub.log.filter(({ host }) => host === "cdn")).toHaveLength(2); // cut once
  const sums = both.map(({ stdout }) => stdout.split("\n").at(-2));
  expect(sums[0]).toBe(sums[1]);
});

test("a model on the hub, with its backbone there too, scores as the folder does", async () => {
  useCache("scored");
  const here = await runCli(["score", "--model", at("model"), rows, "--json"]);
  const there = await runCli(["score", "--model", "org/both", rows, "--json"]);
  expect(there).toMatchObject({
    code: 0,
    stderr: expect.stringMatching(/of org\/both@main[\s\S]*of org\/tiny@main/),
  });
  const [a, b] = [here, there].map(({ stdout }) => JSON.parse(stdout));
  expect(b).toEqual({ ...a, model: `org/both@${hub.commitOf("org/both")}` });
  hub.log.length = 0;
  vi.stubEnv("HF_HUB_OFFLINE", "1");
  expect((await runCli(["score", "--model", "org/both", rows, "--json"])).stdout).toBe(there.stdout);
  vi.stubEnv("HF_HUB_OFFLINE", undefined);
  expect(hub.log).toEqual([]);
});

test("looking at tokens downloads no weights of the backbone", async () => {
  useCache("explained");
  const { code } = await runCli(["score", "--model", at("model-on-hub-backbone"), rows, "--explain-tokens"]);
  expect(code).toBe(0);
  expect(hub.downloads()).toContain("tokenizer.json");
  expect(hub.downloads()).not.toContain("model.safetensors");
});

test("inspect takes a repository", async () => {
  useCache("inspected");
  const { code, stdout } = await runCli(["inspect", "org/tiny", "--json"]);
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ kind: "checkpoint", hiddenSize: 256 });
});

test("embeddings and the model that is trained on them name the commit, and open again", async () => {
  useCache("trained");
  const pinned = `org/tiny@${hub.commitOf("org/tiny")}`;
  const words = ["red", "blue", "green", "tall", "small", "quick", "slow", "cold"];
  const text = (i: number) => `${words[i % 8]} ${words[(i >> 3) % 8]} ${"very ".repeat(i % 5)}${i}`;
  const ratings = Array.from({ length: 40 }, (_, i) => ({
    prompt: `Say ${text(i)}`,
    response: text(i * 7),
    ratings: { kind: i % 5 },
  }));
  const pairs = Array.from({ length: 40 }, (_, i) => ({
    prompt: `Say ${text(i)}`,
    chosen: text(i * 3),
    rejected: text(i * 5 + 1),
  }));
  mkdirSync(at("work"));
  for (const [name, data] of Object.entries({ ratings, pairs })) {
    writeFileSync(at(`work/${name}.jsonl`), data.map((row) => `${JSON.stringify(row)}\n`).join(""));
    const out = at(`work/${name}`);
    const args = [
      "embed",
      "--backbone",
      "org/tiny",
      "--data",
      at(`work/${name}.jsonl`),
      "--out",
      out,
      "--json",
    ];
    const { code, stdout } = await runCli(args);
    expect(code).toBe(0);
    expect(JSON.parse(stdout).backbone.location).toBe(pinned);
  }
  const model = at("work/model");
  const args = [
    "train",
    "--ratings",
    at("work/ratings"),
    "--pairs",
    at("work/pairs"),
    "--out",
    model,
    "--steps",
    "5",
  ];
  expect(await runCli(args)).toMatchObject({ code: 0 });
  expect((await openModelDirectory(model)).backbone.location).toBe(pinned);
  hub.log.length = 0;
  expect(await runCli(["score", "--model", model, rows, "--json"])).toMatchObject({ code: 0 });
  expect(hub.log).toEqual([]);
});

test("the library opens a repository, isolated or not, and pulls on request", async () => {
  useCache("library");
  const { commit } = await pull("org/model");
  const conversation = [
    { role: "user", content: "Name a prime." },
    { role: "assistant", content: "Seven." },
  ] as const;
  const scores = [];
  for (const isolate of [false, true]) {
    await using model = await openRewardModel("org/model", { isolate });
    expect(model.trainedOn?.("0".repeat(64))).toBe(false);
    scores.push(...(await model.score([[...conversation]])));
  }
  expect(scores[0]).toMatchObject({ model: `org/model@${commit}` });
  expect(scores[1]).toEqual(scores[0]);
});

test("a folder of the name goes before the hub", async () => {
  useCache("folder");
  mkdirSync(at("here/org"), { recursive: true });
  await writeSmallModel(at("here/org/model"));
  const { code, stdout } = await runCli(["score", "--model", "org/model", rows, "--json"], {
    cwd: at("here"),
  });
  expect(code).toBe(0);
  expect(JSON.parse(stdout).model).toBe("org/model");
  expect(hub.log).toEqual([]);
});
