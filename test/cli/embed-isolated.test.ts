// A backbone with the parameters of a real model: the command line gives it a process of its own, and outlives that process.

import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ISOLATION_PARAMETERS } from "../../src/backbone/isolated/isolated-backbone.ts";
import { writeWideCheckpoint } from "../backbone/wide-checkpoint.ts";
import { isRunning } from "../child-processes.ts";
import { runCli } from "../run-cli.ts";

const folder = mkdtempSync(join(tmpdir(), "armorm-embed-isolated-"));
const at = (name: string) => join(folder, name);
const embed = (backbone: string, out: string, ...more: string[]) => {
  const options = ["--backbone", backbone, "--data", "rows.jsonl", "--part-rows", "4", "--threads", "1"];
  return runCli(["embed", ...options, "--out", out, ...more], { cwd: folder });
};

beforeAll(async () => {
  await writeWideCheckpoint(at("wide"), Math.ceil(ISOLATION_PARAMETERS / 256));
  const rows = Array.from({ length: 120 }, (_, i) =>
    JSON.stringify({
      id: i,
      prompt: `Name ${i + 1} colours.`,
      response: "red green blue ".repeat(1 + (i % 60)),
      ratings: { quality: i },
    }),
  );
  writeFileSync(at("rows.jsonl"), rows.join("\n"));
}, 120_000);
afterAll(() => rmSync(folder, { recursive: true }));

const partsIn = (out: string): string[] =>
  existsSync(at(out)) ? readdirSync(at(out)).filter((name) => name.endsWith(".safetensors")) : [];

async function until(look: () => boolean): Promise<void> {
  for (const end = Date.now() + 60_000; Date.now() < end; await delay(2)) if (look()) return;
  throw new Error("did not happen");
}

/** The processes that another one has started. */
const childrenOf = (pid: number): number[] =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ").filter(Boolean).map(Number);

/** The process that makes a set, from its lock. */
const makerOf = (out: string): number =>
  JSON.parse(readFileSync(at(`${out}/.shard-00001-of-00001.lock`), "utf8")).pid;

test("the last line and --json say what share of the time was the backbone's; the files do not", {
  timeout: 120_000,
}, async () => {
  const { code, stdout, stderr } = await embed("tiny", "tiny", "--json");
  expect({ code, stderr }).toMatchObject({ code: 0 });
  const { timing, ...manifest } = JSON.parse(stdout);
  expect(JSON.parse(readFileSync(at("tiny/manifest.json"), "utf8"))).toEqual(manifest);
  const { seconds, backboneSeconds, backboneShare, conversations, tokens } = timing;
  expect(conversations).toBe(120);
  expect(backboneShare).toBeGreaterThan(0);
  expect(backboneShare).toBeLessThan(1);
  expect(backboneShare).toBeCloseTo(backboneSeconds / seconds, 9);
  expect(timing.conversationsPerSecond).toBeCloseTo(conversations / seconds, 9);
  expect(timing.tokensPerSecond).toBeCloseTo(tokens / seconds, 9);
  expect(stderr.trimEnd().split("\n").at(-1)).toMatch(
    /^[\d,]+ tokens in .*: backbone \d+ % of the time, [\d.,]+ conversations\/s, [\d.,]+ tokens\/s$/,
  );
  // There is nothing left to do, and nothing to say about its speed.
  const again = await embed("tiny", "tiny", "--json");
  expect(JSON.parse(again.stdout)).toEqual({ ...manifest, timing: null });
  expect(again.stderr).not.toMatch(/of the time/);
});

describe.runIf(process.platform === "linux")("the backbone's process", () => {
  test("that is killed ends the command with what to do; the same command goes on, and no process is left", {
    timeout: 240_000,
  }, async () => {
    const running = embed("wide", "killed");
    await until(() => partsIn("killed").length > 0);
    const maker = makerOf("killed");
    const [child, ...others] = childrenOf(maker);
    expect(others).toEqual([]);
    process.kill(child!, "SIGKILL");
    const { code, stderr } = await running;
    expect(code).toBe(2);
    expect(stderr).toMatch(
      /error: isolated backbone: expected the backbone's process at work, got one that was killed by SIGKILL; the machine may be out of memory\n +start again: embedding goes on behind its finished parts/,
    );
    const kept = new Map(partsIn("killed").map((name) => [name, readFileSync(at(`killed/${name}`))]));
    expect(kept.size).toBeLessThan(30);

    const goneOn = await embed("wide", "killed");
    expect(goneOn).toMatchObject({ code: 0, stderr: expect.stringMatching(/of them there already/) });
    for (const [name, bytes] of kept) expect(readFileSync(at(`killed/${name}`)).equals(bytes)).toBe(true);
    expect(isRunning(child!)).toBe(false);
  });

  test("does not hear Ctrl-C: the current part is finished, and the command says how to go on", {
    timeout: 240_000,
  }, async () => {
    const running = embed("wide", "stopped");
    await until(() => partsIn("stopped").length > 0);
    const maker = makerOf("stopped");
    // A terminal sends it to both.
    for (const pid of [...childrenOf(maker), maker]) process.kill(pid, "SIGINT");
    const { code, stderr } = await running;
    expect(code).toBe(130);
    expect(stderr).toMatch(/finishing the current part/);
    expect(stderr).toMatch(/stopped; the same command continues stopped/);
    const { parts, complete } = JSON.parse(readFileSync(at("stopped/manifest.json"), "utf8"));
    expect(complete).toBe(false);
    expect(parts).toHaveLength(partsIn("stopped").length);
  });
});
