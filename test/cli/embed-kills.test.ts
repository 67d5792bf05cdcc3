// Embedding is killed again and again; nothing that was finished is lost, and nothing else is taken for finished.

import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createRandom } from "../../src/random.ts";
import { runCli } from "../run-cli.ts";

/** More on demand: ARMORM_KILLS=100. */
const KILLS = Number(process.env.ARMORM_KILLS ?? 30);
const ROWS = 300;
const PART_ROWS = 5;

const folder = mkdtempSync(join(tmpdir(), "armorm-kills-"));
const at = (name: string) => join(folder, name);
const embed = (out: string, ...more: string[]) => {
  const options = ["--backbone", "tiny", "--data", "pairs.jsonl", "--part-rows", String(PART_ROWS)];
  return runCli(["embed", ...options, "--threads", "1", "--out", out, ...more], { cwd: folder });
};

/** How long an uninterrupted run takes here. */
let wholeMs = 0;
let finished: ReadonlyMap<string, Buffer>;
beforeAll(async () => {
  const rows = Array.from({ length: ROWS }, (_, i) => ({
    id: i,
    prompt: `Describe colour ${i}.`,
    // A few that are rejected, so that accounts are kept of those too.
    chosen: `It is ${"red green blue ".repeat(i % 60 === 7 ? 500 : 1 + (i % 9))}.`,
    rejected: i % 50 === 3 ? 5 : "No.",
  }));
  writeFileSync(at("pairs.jsonl"), rows.map((row) => JSON.stringify(row)).join("\n"));
  const started = performance.now();
  expect(await embed("alone")).toMatchObject({ code: 2 }); // some rows are invalid
  wholeMs = performance.now() - started;
  finished = filesOf("alone");
}, 120_000);
afterAll(() => rmSync(folder, { recursive: true }));

function filesOf(out: string, ending = ""): Map<string, Buffer> {
  if (!existsSync(at(out))) return new Map();
  const names = readdirSync(at(out)).filter((name) => name.endsWith(ending));
  return new Map(names.sort().map((name) => [name, readFileSync(join(at(out), name))]));
}

/** Parts under their final names are those of the uninterrupted run. */
function expectWholeParts(out: string): number {
  const parts = filesOf(out, ".safetensors");
  for (const [name, bytes] of parts) expect(finished.get(name)?.equals(bytes), name).toBe(true);
  return parts.size;
}

function expectSameSet(out: string): void {
  const files = filesOf(out);
  expect([...files.keys()]).toEqual([...finished.keys()]);
  for (const [name, bytes] of files) expect(finished.get(name)!.equals(bytes), name).toBe(true);
}

/** Starts, kills after up to `mostMs`, starts again, until a run gets to its end. */
async function killUntilDone(
  start: () => ReturnType<typeof embed>,
  out: string,
  random: () => number,
  kills: number,
) {
  let killed = 0;
  let notes = "";
  let parts = 0;
  for (let life = 0; life < 10 * KILLS; life++) {
    const run = start();
    if (killed < kills) {
      await Promise.race([delay(random() * wholeMs), run]);
      run.kill();
    }
    const { code, stderr } = await run;
    notes += stderr;
    if (code === null) killed++;
    else if (code !== 2 && code !== 0) throw new Error(`exit code ${code}: ${stderr}`);
    const now = expectWholeParts(out);
    expect(now).toBeGreaterThanOrEqual(parts);
    parts = now;
    if (code !== null) return { killed, notes };
  }
  throw new Error("never done");
}

test(`${KILLS} kills at random moments leave the bytes of an uninterrupted run`, {
  timeout: 1_200_000,
}, async () => {
  const random = createRandom(7).uniform;
  let [killed, notes, sets] = [0, "", 0];
  while (killed < KILLS) {
    const out = `set-${sets++}`;
    const result = await killUntilDone(() => embed(out), out, random, KILLS - killed);
    killed += result.killed;
    notes += result.notes;
    expectSameSet(out);
  }
  expect(killed).toBe(KILLS);
  expect(notes).toMatch(/process \d+ on .* is gone; took its lock over/);
  console.log(`${killed} kills, ${sets} sets`);
});

test("shards that are killed beside each other, and a merge that is killed, end in the same set", async () => {
  const random = createRandom(8).uniform;
  const shards = ["1/3", "2/3", "3/3"].map((shard) =>
    killUntilDone(() => embed("shards", "--shard", shard), "shards", random, 3),
  );
  const killed = (await Promise.all(shards)).reduce((sum, shard) => sum + shard.killed, 0);
  expect(killed).toBeGreaterThan(2);
  const merge = () => runCli(["merge", "shards"], { cwd: folder });
  await killUntilDone(merge, "shards", () => random() / 3, 4);
  expectSameSet("shards");
});
