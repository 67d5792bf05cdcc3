import { readFileSync } from "node:fs";

/** The processes that this one has started and that run. */
export function childProcesses(): number[] {
  const { libuv } = process.report.getReport() as unknown as { libuv: { type: string; pid: number }[] };
  return libuv.filter(({ type }) => type === "process").map(({ pid }) => pid);
}

export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  // One that nobody has waited for yet still has its number.
  return process.platform !== "linux" || !/^State:\tZ/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
}
