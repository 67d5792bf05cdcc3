// Whose lock it is, where process numbers and names of machines are used again.

import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import {
  type BusyLock,
  type HeldLock,
  isHeld,
  type LockOwner,
  takeOver,
  tryLock,
} from "../../src/checkpoint/file-lock.ts";

const folder = mkdtempSync(join(tmpdir(), "armorm-lock-"));
const path = join(folder, "a.lock");
afterAll(() => rmSync(folder, { recursive: true }));

/** What this process would write into a lock, changed. */
async function leaveLock(change: Partial<LockOwner>): Promise<void> {
  rmSync(path, { force: true });
  const lock = (await tryLock(path)) as HeldLock;
  const owner = JSON.parse(readFileSync(path, "utf8"));
  await lock[Symbol.asyncDispose]();
  writeFileSync(path, JSON.stringify({ ...owner, token: "another", ...change }));
}

async function expectBusy(alive: boolean): Promise<void> {
  const lock = await tryLock(path);
  expect(isHeld(lock)).toBe(false);
  expect((lock as BusyLock).alive).toBe(alive);
}

async function expectTaken(): Promise<void> {
  const lock = await tryLock(path);
  expect(isHeld(lock)).toBe(true);
  expect((lock as HeldLock).previous).toMatchObject({ token: "another" });
  await (lock as HeldLock)[Symbol.asyncDispose]();
  expect(existsSync(path)).toBe(false);
}

const onLinux = describe.skipIf(process.platform !== "linux");

onLinux("a lock", () => {
  test("of a process at work is its own", async () => {
    await leaveLock({});
    await expectBusy(true);
  });

  test("of an earlier process with the number of this one, as the first of a container has, is taken over", async () => {
    await leaveLock({ started: "1" });
    await expectTaken();
  });

  test("of a process that is gone is taken over", async () => {
    await leaveLock({ pid: 2 ** 22 + 1 });
    await expectTaken();
  });

  test("of a process that has ended and that its parent has not noticed is taken over", async () => {
    // It ends once its parent is no shell any more, which would notice.
    const child = "(until grep -q sleep /proc/$$/comm; do sleep 0.01; done)";
    const parent = spawn("sh", ["-c", `${child} & echo $!; exec sleep 60`], {
      stdio: ["ignore", "pipe", "ignore"],
    });
    const pid = Number(await new Promise((resolve) => parent.stdout.once("data", resolve)));
    const state = () => readFileSync(`/proc/${pid}/stat`, "utf8");
    await expect.poll(state, { timeout: 60_000 }).toMatch(/\) Z /);
    await leaveLock({ pid });
    await expectTaken();
    parent.kill();
  });

  test("of another machine of the same name, whose numbers say nothing here, stays", async () => {
    await leaveLock({ boot: "another", pid: 2 ** 22 + 1 });
    await expectBusy(false);
  });

  test("that does not say when its process started stays while a process has the number", async () => {
    await leaveLock({ started: null });
    await expectBusy(false);
  });
});

test("a lock that is there and cannot be looked at is somebody's, until it is taken over", async () => {
  const dangling = join(folder, "dangling.lock");
  symlinkSync(join(folder, "nothing"), dangling);
  const busy = await tryLock(dangling);
  expect(busy).toMatchObject({ owner: null, alive: false });
  const taken = await takeOver(busy as BusyLock, dangling);
  expect(isHeld(taken)).toBe(true);
  await (taken as HeldLock)[Symbol.asyncDispose]();
});
