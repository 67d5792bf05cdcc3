import { SingleBar } from "cli-progress";
import { integer } from "./output.ts";

/** A progress bar on stderr with rate and time left; silent where stderr is no terminal. */
export interface Progress {
  update(done: number, total: number): void;
  stop(): void;
}

/** @param what What is being done, `embedding`. @param unit What is counted, `rows`. */
export function startProgress(what: string, unit: string, quiet = false): Progress {
  if (quiet || !process.stderr.isTTY) return { update() {}, stop() {} };
  const bar = new SingleBar({
    stream: process.stderr,
    clearOnComplete: true,
    hideCursor: true,
    format: (options, params) => {
      const width = 24;
      const filled = Math.round(width * params.progress);
      const elapsed = (Date.now() - params.startTime) / 1000;
      const rate = params.value / Math.max(elapsed, 0.001);
      const left = rate > 0 ? Math.ceil((params.total - params.value) / rate) : 0;
      void options;
      const blocks = "█".repeat(filled) + "░".repeat(width - filled);
      const counts = `${integer(params.value)}/${integer(params.total)} ${unit}`;
      return `${what} ${blocks} ${counts}  ${integer(Math.round(rate))} ${unit}/s  ${formatSeconds(left)} left`;
    },
  });
  let started = false;
  return {
    update(done, total) {
      if (!started) bar.start(total, done);
      started = true;
      bar.setTotal(total);
      bar.update(done);
    },
    stop() {
      if (started) bar.stop();
    },
  };
}

/** `42 s`, `3 min 05 s` */
export function formatSeconds(seconds: number): string {
  if (seconds < 60) return `${seconds < 10 ? seconds.toFixed(1).replace(/\.0$/, "") : Math.round(seconds)} s`;
  const rounded = Math.round(seconds);
  return `${Math.floor(rounded / 60)} min ${String(rounded % 60).padStart(2, "0")} s`;
}
