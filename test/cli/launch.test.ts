// What is submitted to clusters, without one: scripts, manifests, and refusals. A real Slurm: slurm.test.ts.

import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { ranges } from "../../src/cli/slurm-jobs.ts";
import { runCli } from "../run-cli.ts";

const folder = mkdtempSync(join(tmpdir(), "armorm-launch-"));
const at = (name: string) => join(folder, name);
const EMBED = ["--", "embed", "--backbone", "tiny", "--data", "my rows.jsonl", "--out", "set"];

// A Slurm that writes down what it is asked, and refuses options that begin with REFUSE; after one that begins with BREAK nothing can
// be written to launch.json. squeue knows no job but QUEUED.
const fake = {
  PATH: `${at("bin")}${delimiter}${process.env.PATH}`,
  SLURM_JOB_ID: "7",
  SLURM_CONF: "/etc/slurm.conf",
};
beforeAll(() => {
  mkdirSync(at("bin"));
  const write = (name: string, script: string) => {
    writeFileSync(at(`bin/${name}`), `#!/bin/sh\n${script}\n`);
    chmodSync(at(`bin/${name}`), 0o755);
  };
  write(
    "sbatch",
    `case "$2" in "$REFUSE"=*) echo 'invalid partition' >&2; exit 1;; esac
echo "$@ job=$SLURM_JOB_ID conf=$SLURM_CONF" >> ${at("asked")}; wc -l < ${at("asked")} | tr -d ' '
case "$2" in "$BREAK"=*) cd "$(dirname "$3")"; rm launch.json; mkdir launch.json;; esac`,
  );
  write("squeue", 'test "$3" = "$QUEUED" && echo queued');
  write("scancel", `test -z "$REFUSE_CANCEL" && echo "$@" >> ${at("cancelled")}`);
  writeFileSync(at("my rows.jsonl"), JSON.stringify({ prompt: "a", response: "b", ratings: { q: 1 } }));
});
afterAll(() => rmSync(folder, { recursive: true }));

const launch = (words: readonly string[], env: Record<string, string> = {}) =>
  runCli(["launch", ...words], { cwd: folder, env });

test("a dry run prints the scripts with everything that was asked for, and leaves nothing behind", async () => {
  const resources = [
    "--partition",
    "gpu",
    "--time",
    "1:00:00",
    "--cpus",
    "4",
    "--mem",
    "8G",
    "--sbatch=--account=lab",
  ];
  const { code, stdout } = await launch(["slurm", "--shards", "12", ...resources, "--dry-run", ...EMBED]);
  expect(code).toBe(0);
  for (const line of [
    "#SBATCH --partition=gpu",
    "#SBATCH --time=1:00:00",
    "#SBATCH --cpus-per-task=4",
    "#SBATCH --mem=8G",
    "#SBATCH --account=lab",
    `#SBATCH --output=${at("set.launch/logs/shard-%a-%A.log")}`,
  ]) {
    expect(stdout.split("\n")).toContain(line);
  }
  expect(stdout).toMatch(
    /embed --backbone tiny --data 'my rows.jsonl' --out set --threads 4 --shard "\$SLURM_ARRAY_TASK_ID\/12"/,
  );
  expect(stdout).toMatch(/launch slurm --resume .*set.launch --attempt 2/);
  expect(stdout).toMatch(/--array=1-12 .*shard.sh/);
  expect(() => readFileSync(at("set.launch/launch.json"))).toThrow();
});

test("every shard is submitted, and the merge after it; the last merge submits nothing any more", async () => {
  const first = await launch(["slurm", "--shards", "3", "--attempts", "2", ...EMBED], fake);
  expect(first).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^submitted 3 shards \(1-3\) as job 1, their merge as job 2/),
  });
  expect(readFileSync(at("set.launch/merge-1.sh"), "utf8")).toMatch(/--resume .* --attempt 2/);

  // No shard has begun, so all are submitted again; then two have, and the one part is the third's.
  const second = await launch(["slurm", "--resume", "set.launch", "--attempt", "2"], fake);
  expect(second).toMatchObject({ code: 0, stdout: expect.stringMatching(/submitted 3 shards/) });
  expect(readFileSync(at("set.launch/merge-2.sh"), "utf8")).toMatch(/main.js merge .*set\n/);
  expect(readFileSync(at("asked"), "utf8").split("\n")).toEqual([
    `--parsable --array=1-3 ${at("set.launch/shard.sh")} job= conf=/etc/slurm.conf`,
    `--parsable --dependency=afterany:1 ${at("set.launch/merge-1.sh")} job= conf=/etc/slurm.conf`,
    `--parsable --array=1-3 ${at("set.launch/shard.sh")} job= conf=/etc/slurm.conf`,
    `--parsable --dependency=afterany:3 ${at("set.launch/merge-2.sh")} job= conf=/etc/slurm.conf`,
    "",
  ]);

  for (const index of ["1", "2"]) {
    const shard = await runCli(
      ["embed", "--backbone", "tiny", "--data", "my rows.jsonl", "--out", "set", "--shard", `${index}/3`],
      { cwd: folder },
    );
    expect(shard.code).toBe(0);
  }
  const third = await launch(["slurm", "--resume", "set.launch", "--time", "9:00:00"], fake);
  expect(readFileSync(at("set.launch/shard.sh"), "utf8")).toContain("#SBATCH --time=9:00:00\n");
  expect(JSON.parse(readFileSync(at("set.launch/launch.json"), "utf8"))).toMatchObject({ time: "9:00:00" });
  expect(third.stdout).toMatch(
    /set: 1 of 1 part missing\nshard 3\/3: .*\n.*\nsubmitted 1 shard \(3\) as job 5/,
  );
  await runCli(["embed", "--backbone", "tiny", "--data", "my rows.jsonl", "--out", "set", "--shard", "3/3"], {
    cwd: folder,
  });
  const last = await launch(["slurm", "--resume", "set.launch"], fake);
  expect(last).toMatchObject({ code: 0, stdout: expect.stringMatching(/set: 1 of 1 ratings, 256 wide/) });
});

test("a dry run of --resume says what is missing and merges nothing", async () => {
  const options = ["--backbone", "tiny", "--data", "my rows.jsonl", "--out", "dry"];
  const files = () => readdirSync(at("dry")).sort();
  await launch(["slurm", "--shards", "2", "--", "embed", ...options], fake);
  const shard = (index: number) => runCli(["embed", ...options, "--shard", `${index}/2`], { cwd: folder });
  await shard(1); // which has no part of one row
  const begun = files();
  const missing = await launch(["slurm", "--resume", "dry.launch", "--dry-run"], fake);
  expect(missing).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/1 of 1 part missing[\s\S]*--array=2 .*shard.sh/),
  });
  expect(files()).toEqual(begun);
  await shard(2);
  const done = files();
  const whole = await launch(["slurm", "--resume", "dry.launch", "--dry-run"], fake);
  expect(whole).toMatchObject({ code: 0, stdout: expect.stringMatching(/^# every part is there/) });
  expect(files()).toEqual(done);
  expect(done).not.toContain("manifest.json");
  await launch(["slurm", "--resume", "dry.launch"], fake);
  expect(files()).toContain("manifest.json");
});

test("what Slurm refuses leaves no folder in the way of the same command, mended", async () => {
  const words = ["slurm", "--shards", "2", "--", "embed", "--backbone", "tiny", "--data", "my rows.jsonl"];
  const start = (env: Record<string, string>) => launch([...words, "--out", "refused"], { ...fake, ...env });
  const refused = await start({ REFUSE: "--array" });
  expect(refused).toMatchObject({ code: 2, stderr: expect.stringMatching(/got invalid partition/) });
  expect(existsSync(at("refused.launch"))).toBe(false);

  // The merge alone: the array, which is in the queue by then, is taken back.
  const half = await start({ REFUSE: "--dependency" });
  expect(half).toMatchObject({ code: 2, stderr: expect.stringMatching(/got invalid partition/) });
  const arrays = readFileSync(at("asked"), "utf8").trimEnd().split("\n").length;
  expect(readFileSync(at("cancelled"), "utf8")).toBe(`${arrays}\n`);
  expect(existsSync(at("refused.launch"))).toBe(false);

  const kept = await start({ REFUSE: "--dependency", REFUSE_CANCEL: "1" });
  expect(kept.stderr).toMatch(
    /what was submitted is in the queue as job (\d+), which could not be cancelled/,
  );
  const launched = JSON.parse(readFileSync(at("refused.launch/launch.json"), "utf8"));
  expect(launched.jobs).toEqual({ shards: String(arrays + 1), merge: null });
  const again = await launch(["slurm", "--resume", "refused.launch"], {
    ...fake,
    QUEUED: String(arrays + 1),
  });
  expect(again).toMatchObject({ code: 2, stderr: expect.stringMatching(/got job \d+ in the queue/) });
  rmSync(at("refused.launch"), { recursive: true });
  expect(await start({})).toMatchObject({ code: 0 });
});

test.each([
  ["the array", "--array", 1],
  ["the merge", "--dependency", 2],
])(
  "jobs whose numbers cannot be written after %s are taken back, or named and their folder kept",
  async (_, option, n) => {
    const out = `unwritten${n}`;
    const words = ["slurm", "--shards", "2", "--", "embed", "--backbone", "tiny", "--data", "my rows.jsonl"];
    const start = (env: Record<string, string> = {}) =>
      launch([...words, "--out", out], { ...fake, BREAK: option, ...env });
    const lines = (name: string) => readFileSync(at(name), "utf8").trimEnd().split("\n");
    // Jobs have the numbers of the lines in which they are asked for.
    const latest = () => Array.from({ length: n }, (_, i) => String(lines("asked").length - i));

    const cancelled = await start();
    expect(cancelled).toMatchObject({ code: 1, stderr: expect.stringMatching(/launch\.json/) });
    expect(lines("cancelled").at(-1)).toBe(latest().join(" "));
    expect(existsSync(at(`${out}.launch`))).toBe(false);

    const kept = await start({ REFUSE_CANCEL: "1" });
    expect(kept.code).toBe(2);
    expect(kept.stderr).toContain(`in the queue as job ${latest().reverse().join(" and ")}, which`);
    expect(kept.stderr).toContain(`(scancel ${latest().join(" ")})`);
    expect(readdirSync(at(`${out}.launch`))).toContain("logs");
  },
);

test("paths and options are quoted as Slurm reads them", async () => {
  const name = `o'brien's "50%" set`;
  const embed = ["--", "embed", "--backbone", "tiny", "--data", "my rows.jsonl", "--out", name];
  const words = ["slurm", "--shards", "2", "--dry-run", `--sbatch=--comment=it's`];
  const { code, stdout } = await launch([...words, ...embed]);
  expect(code).toBe(0);
  expect(stdout).toContain(
    String.raw`#SBATCH "--output=${folder}/o'brien's \"50%%\" set.launch/logs/shard-%a-%A.log"`,
  );
  expect(stdout).toContain(`#SBATCH "--comment=it's"`);
  const strange = await launch([...words, "--folder", "a\\b", ...embed]);
  expect(strange).toMatchObject({ code: 2, stderr: expect.stringMatching(/a folder without backslashes/) });
});

test("numbers of shards are written as Slurm reads them", () => {
  expect(ranges([1, 2, 3, 5, 8, 9])).toBe("1-3,5,8-9");
  expect(ranges([4])).toBe("4");
});

test("the manifest of an Indexed Job embeds in shards, that of the second Job merges", async () => {
  const words = ["--shards", "8", "--image", "i:1", "--claim", "c", "--cpus", "4", "--memory", "8Gi"];
  const { code, stdout } = await launch(["kubernetes", ...words, ...EMBED]);
  expect(code).toBe(0);
  const [embed, merge] = parseAllDocuments(stdout).map((document) => document.toJS());
  expect(embed).toMatchObject({
    apiVersion: "batch/v1",
    kind: "Job",
    spec: { completionMode: "Indexed", completions: 8, parallelism: 8, backoffLimitPerIndex: 3 },
  });
  const [container] = embed.spec.template.spec.containers;
  expect(container.command.slice(-4)).toEqual(["--threads", "4", "--shard", "auto/8"]);
  expect(container.resources.limits).toEqual({ cpu: 4, memory: "8Gi" });
  expect(merge.spec.template.spec.containers[0]).toMatchObject({ command: ["armorm", "merge", "set"] });
});

test.each([
  [["slurm", ...EMBED], /expected --shards, got none/],
  [["slurm", "--shards", "2"], /expected the command to run behind --, got none/],
  [["slurm", "--shards", "2", "--", "train"], /behind --, got train/],
  [["slurm", "--shards", "2", ...EMBED, "--shard", "1/2"], /embed without --shard/],
  [["slurm", "--shards", "2", ...EMBED, "--wrong"], /options of embed, got --wrong/],
  [
    ["slurm", "--shards", "2", "--", "embed", "--backbone", "tiny", "--out", "o"],
    /embed with --data, got none/,
  ],
  [["slurm", "--resume", "nowhere", "--cpus", "4"], /expected --resume without .* --cpus/],
  [["slurm", "--resume", "nowhere"], /nowhere: expected the folder of a launch/],
  [
    ["slurm", "--shards", "2", "--folder", "other", ...EMBED],
    /sbatch: expected Slurm's command, got ENOENT/,
    { PATH: "/nowhere" },
  ],
])("%j is refused in one line", async (words, message, env: Record<string, string> = {}) => {
  const { code, stderr } = await launch(words, env);
  expect(code).toBe(2);
  expect(stderr).toMatch(message);
  expect(stderr.trimEnd().split("\n")).toHaveLength(2);
});
