// What this machine knows of a process number.

import { readFileSync } from "node:fs";

/** Whether a process of that number runs on this machine, whoever owns it. One that only waits for its parent to notice its end does not. */
export function isProcessAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EPERM") return false;
  }
  return !/^[ZX]/.test(statusOf(pid)?.[0] ?? "");
}

/**
 * When a process started, as a text that differs between two processes of one number; null where the system does not say.
 * Numbers are used again: the first process of a container that is started again has the number of the one before.
 */
export const processStart = (pid: number): string | null => statusOf(pid)?.[STARTED] ?? null;

/** Clock ticks since the machine started; the state is field 0 here, field 3 in proc(5). */
const STARTED = 19;

/** What Linux says of a process, from its state on. */
function statusOf(pid: number): string[] | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    return text.slice(text.lastIndexOf(")") + 2).split(" "); // before it the program's name, with any characters
  } catch {
    return null;
  }
}
