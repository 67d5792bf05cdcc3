// What goes wrong around a run: it ends in one line with a remedy, keeps what is finished, and goes on when it can.

import { spawnSync } from "node:child_process";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { runCli } from "../run-cli.ts";

const folder = mkdtempSync(join(tmpdir(), "armorm-failures-"));
const at = (name: string) => join(folder, name);
const options = ["--backbone", "tiny", "--part-rows", "4", "--threads", "1"];
const embed = (out: string, ...more: string[]) =>
  runCli(["embed", ...options, "--data", "rows.jsonl", "--out", out, ...more], { cwd: folder });

/** Whether this system lets the test mount a file system in memory. */
const canMount = (() => {
  mkdirSync(at("probe"));
  if (spawnSync("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", at("probe")]).status !== 0) return false;
  spawnSync("umount", [at("probe")]);
  return true;
})();
if (!canMount) console.log("skipped: no mount, so no full disk");

const rows = (count: number) =>
  Array.from({ length: count }, (_, i) =>
    JSON.stringify({
      id: i,
      prompt: `Name ${i + 1} colours.`,
      response: "red green blue ".repeat(1 + (i % 9)),
      ratings: { quality: i / count },
    }),
  ).join("\n");

beforeAll(async () => {
  writeFileSync(at("rows.jsonl"), rows(200));
  expect(await embed("alone")).toMatchObject({ code: 0 });
}, 60_000);
afterAll(() => {
  if (canMount) for (const name of ["small", "sealed"]) spawnSync("umount", [at(name)]);
  rmSync(folder, { recursive: true });
});

function expectSameSet(out: string): void {
  expect(readdirSync(at(out))).toEqual(readdirSync(at("alone")));
  for (const name of readdirSync(at("alone"))) {
    expect(readFileSync(at(`${out}/${name}`)).equals(readFileSync(at(`alone/${name}`))), name).toBe(true);
  }
}

/** One line, and the remedy below it. */
const errorLines = (stderr: string) => {
  const lines = stderr.trimEnd().split("\n");
  const first = lines.findIndex((line) => line.startsWith("error:"));
  expect(lines).toHaveLength(first + 2);
  return lines.slice(first).join("\n");
};

async function until(look: () => boolean): Promise<void> {
  for (const end = Date.now() + 30_000; Date.now() < end; await delay(5)) if (look()) return;
  throw new Error("did not happen");
}

const partsIn = (out: string): number => {
  try {
    return readdirSync(at(out)).filter((name) => name.endsWith(".safetensors")).length;
  } catch {
    return 0;
  }
};

describe.skipIf(!canMount)("a disk", () => {
  test("that is full ends the run, and with room for the rest it goes on", async () => {
    mkdirSync(at("small"));
    spawnSync("mount", ["-t", "tmpfs", "-o", "size=256k", "tmpfs", at("small")]);
    const stopped = await embed("small/set");
    expect(stopped.code).toBe(2);
    expect(errorLines(stopped.stderr)).toMatch(
      /error: embed: expected room for the rest at small\/set, got a full disk\n +make room and give the same command again/,
    );
    expect(partsIn("small/set")).toBeGreaterThan(5);
    expect(readdirSync(at("small/set")).filter((name) => name.endsWith(".tmp"))).toEqual([]);
    spawnSync("mount", ["-o", "remount,size=4m", at("small")]);
    const goneOn = await embed("small/set");
    expect(goneOn).toMatchObject({ code: 0, stderr: expect.stringMatching(/of them there already/) });
    expectSameSet("small/set");
  });

  test("that is read-only is said to be so", async () => {
    mkdirSync(at("sealed"));
    spawnSync("mount", ["-t", "tmpfs", "-o", "size=1m,ro", "tmpfs", at("sealed")]);
    for (const out of ["sealed", "sealed/set", "./sealed", "probe/../sealed", `${folder}//sealed`]) {
      const refused = await embed(out);
      expect(refused.code).toBe(2);
      expect(errorLines(refused.stderr)).toMatch(
        new RegExp(
          `error: output: expected a folder to write at ${out}, got a read-only file system\\n +choose another folder`,
        ),
      );
    }
  });
});

test.skipIf(process.getuid?.() === 0)("a folder without permission to write is said to be so", async () => {
  mkdirSync(at("locked"));
  chmodSync(at("locked"), 0o555);
  const refused = await embed("locked");
  expect(refused.code).toBe(2);
  expect(errorLines(refused.stderr)).toMatch(/expected a folder to write at locked, got no permission/);
});

test("data that vanishes or changes in the middle of a run ends it, and the run goes on when the data is back", {
  timeout: 180_000,
}, async () => {
  for (const spoil of [() => {}, () => writeFileSync(at("rows.jsonl"), rows(201))]) {
    rmSync(at("moved"), { recursive: true, force: true });
    const run = embed("moved");
    await until(() => partsIn("moved") > 0);
    renameSync(at("rows.jsonl"), at("away.jsonl"));
    spoil();
    const { code, stderr } = await run;
    expect(code).toBe(2);
    expect(errorLines(stderr)).toMatch(
      /rows.jsonl: expected the file that the run began with, got .*\n +bring the file back and give the same command again/,
    );
    const done = partsIn("moved");
    expect(done).toBeLessThan(50);
    rmSync(at("rows.jsonl"), { force: true });
    expect(await embed("moved")).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/rows.jsonl: no such file/),
    });
    renameSync(at("away.jsonl"), at("rows.jsonl"));
    expect(await embed("moved")).toMatchObject({ code: 0 });
    expectSameSet("moved");
  }
});

describe("two processes on one set", () => {
  test("the second one gets a line that names the first, which goes on; so does a shard, and a merge", async () => {
    const first = embed("shared");
    await until(() => partsIn("shared") > 0);
    const { pid } = JSON.parse(readFileSync(at("shared/.shard-00001-of-00001.lock"), "utf8"));
    process.kill(pid, "SIGSTOP"); // so that it is still at work when the others come
    const others = [
      embed("shared"),
      embed("shared", "--shard", "2/3"),
      runCli(["merge", "shared"], { cwd: folder }),
    ];
    for (const { code, stderr } of await Promise.all(others)) {
      expect(code).toBe(2);
      expect(errorLines(stderr)).toMatch(
        new RegExp(
          `got process ${pid} on ${hostname()} \\(since 20.*\\) at work\\n +wait until that process has ended`,
        ),
      );
    }
    process.kill(pid, "SIGCONT");
    expect(await first).toMatchObject({ code: 0 });
    expectSameSet("shared");
  });

  test("shards beside each other do not mind, and neither does the set", async () => {
    const shards = ["1/3", "2/3", "3/3"].map((shard) => embed("beside", "--shard", shard));
    for (const { code } of await Promise.all(shards)) expect(code).toBe(0);
    expect(await runCli(["merge", "beside"], { cwd: folder })).toMatchObject({ code: 0 });
    expectSameSet("beside");
  });
});
