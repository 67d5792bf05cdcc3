// A real Slurm on this machine: an array of shards, one of which is killed, and the jobs that put it right.

import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runCli } from "../run-cli.ts";
import { type Cluster, startCluster, whyNoSlurm } from "./slurm-cluster.ts";

const missing = whyNoSlurm();
if (missing !== null) {
  if (process.env.ARMORM_REQUIRE_SLURM) throw new Error(`Slurm is required here: ${missing}`);
  console.log(`skipped: no slurm (${missing})`);
}

const SHARDS = 8;
const PARTS_PER_SHARD = 10;
const ROWS_PER_PART = 8;
const KILLED = 3;

let folder: string;
let cluster: Cluster;
beforeAll(async () => {
  if (missing !== null) return;
  folder = mkdtempSync(join(tmpdir(), "armorm-slurm-"));
  cluster = await startCluster(mkdtempSync(join(folder, "cluster-")));
}, 60_000);
afterAll(async () => {
  if (missing !== null) return;
  await cluster?.[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
}, 60_000);

const at = (name: string) => join(folder, name);

/** Waits for something that other processes bring about. */
async function until<T>(what: string, look: () => T | null | undefined | false): Promise<T> {
  for (const end = Date.now() + 240_000; Date.now() < end; ) {
    const found = look();
    if (found) return found;
    await delay(5);
  }
  throw new Error(`${what} did not happen; ${logs()}`);
}

const logs = () =>
  readdirSync(at("set.launch/logs"))
    .map((name) => `${name}: ${readFileSync(at(`set.launch/logs/${name}`), "utf8")}`)
    .join("\n");

function contents(directory: string): Record<string, string> {
  const names = readdirSync(directory).sort();
  return Object.fromEntries(names.map((name) => [name, readFileSync(join(directory, name), "base64")]));
}

test.skipIf(missing !== null)(
  "an array of 8, one task killed in the middle: its shard alone is submitted again, and the set is the one of one process",
  { timeout: 300_000 },
  async () => {
    const words = (n: number) => "red green blue old new ".repeat(n);
    const rows = Array.from({ length: SHARDS * PARTS_PER_SHARD * ROWS_PER_PART }, (_, i) => ({
      id: i,
      prompt: `Name ${i + 1} colours.`,
      response: words(20 + (i % 7)),
      ratings: { quality: (i % 11) / 10 },
    }));
    writeFileSync(at("rows.jsonl"), rows.map((row) => JSON.stringify(row)).join("\n"));
    const options = ["--backbone", "tiny", "--data", "rows.jsonl", "--part-rows", String(ROWS_PER_PART)];
    const embed = ["embed", ...options, "--threads", "1"];
    const inCluster = { cwd: folder, env: cluster.environment };
    const alone = await runCli([...embed, "--out", "alone"], { cwd: folder });
    expect(alone).toMatchObject({ code: 0 });

    const launched = await runCli(
      ["launch", "slurm", "--shards", String(SHARDS), "--cpus", "1", "--", ...embed, "--out", "set"],
      inCluster,
    );
    expect(launched).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/submitted 8 shards \(1-8\) as job \d+/),
    });
    const again = await runCli(["launch", "slurm", "--resume", "set.launch"], inCluster);
    expect(again).toMatchObject({ code: 2, stderr: expect.stringMatching(/in the queue/) });

    const number = (n: number) => String(n).padStart(5, "0");
    const part = (n: number) =>
      at(`set/ratings-${number(n)}-of-${number(SHARDS * PARTS_PER_SHARD)}.safetensors`);
    const [first, last] = [(KILLED - 1) * PARTS_PER_SHARD + 1, KILLED * PARTS_PER_SHARD];
    await until("the first part of the shard", () => existsSync(part(first)));
    const { pid } = JSON.parse(
      readFileSync(at(`set/.shard-${number(KILLED)}-of-${number(SHARDS)}.lock`), "utf8"),
    );
    process.kill(pid, "SIGKILL");
    expect(existsSync(part(last))).toBe(false);

    const merged = await until("the second merge", () => {
      const name = readdirSync(at("set.launch/logs")).find((log) => log.startsWith("merge-2-"));
      const log = name === undefined ? "" : readFileSync(at(`set.launch/logs/${name}`), "utf8");
      return /ratings, 256 wide/.test(log) && log;
    });
    expect(merged).toMatch(/640 of 640 ratings/);
    const name = readdirSync(at("set.launch/logs")).find((log) => log.startsWith("merge-1-"))!;
    const log = readFileSync(at(`set.launch/logs/${name}`), "utf8");
    expect(log).toMatch(/shard 3\/8: ratings-000\d\d-of-00080/);
    expect(log).not.toMatch(/shard [^3]\/8/);
    expect(log).toMatch(/submitted 1 shard \(3\) as job/);
    expect(log).toMatch(new RegExp(`shard 3/8: process ${pid} on .* is gone; took its lock over`));
    expect(contents(at("set"))).toEqual(contents(at("alone")));
  },
);

test.skipIf(missing !== null)(
  "a path with quotes, blanks and a percent sign is one path; a partition that there is not leaves nothing behind",
  { timeout: 120_000 },
  async () => {
    const name = `o'brien's "50%" set`;
    writeFileSync(at("row.jsonl"), JSON.stringify({ prompt: "a", response: "b", ratings: { q: 1 } }));
    const embed = [
      "--",
      "embed",
      "--backbone",
      "tiny",
      "--data",
      "row.jsonl",
      "--threads",
      "1",
      "--out",
      name,
    ];
    const start = (...more: string[]) =>
      runCli(["launch", "slurm", "--shards", "1", ...more, ...embed], {
        cwd: folder,
        env: cluster.environment,
      });
    expect(await start("--partition", "nowhere")).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/invalid partition/),
    });
    expect(existsSync(at(`${name}.launch`))).toBe(false);
    expect(await start()).toMatchObject({ code: 0 });
    const logsThere = at(`${name}.launch/logs`);
    await until("the merge", () => {
      const [log] = readdirSync(logsThere).filter((file) => file.startsWith("merge-1-"));
      return log !== undefined && /1 of 1 ratings/.test(readFileSync(join(logsThere, log), "utf8"));
    });
    expect(readdirSync(logsThere).some((file) => /^shard-1-\d+\.log$/.test(file))).toBe(true);
  },
);
