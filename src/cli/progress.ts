import { SingleBar } from "cli-progress";
import { integer, note } from "./output.ts";

/** A progress bar on stderr with rate and time left; silent where stderr is no terminal. */
export interface Progress {
  update(done: number, total: number): void;
  stop(): void;
}

/**
 * @param what What is being done, `embedding`. @param unit What is counted, `rows`; `bytes` come in kB, MB and GB.
 * @param speed What to say of rate and time left. Default: as counted here.
 */
export function startProgress(what: string, unit: string, quiet = false, speed?: () => string): Progress {
  if (quiet || !process.stderr.isTTY) return { update() {}, stop() {} };
  let from = 0; // what an earlier run has done says nothing about the rate
  const bar = new SingleBar({
    stream: process.stderr,
    clearOnComplete: true,
    hideCursor: true,
    format: (options, params) => {
      const width = 24;
      const filled = Math.round(width * params.progress);
      const elapsed = (Date.now() - params.startTime) / 1000;
      const rate = (params.value - from) / Math.max(elapsed, 0.001);
      const left = Math.ceil((params.total - params.value) / rate);
      const inBytes = unit === "bytes";
      const perSecond = inBytes ? formatBytes(rate) : `${formatRate(rate)} ${unit}`;
      const counted = () => (rate > 0 ? `${perSecond}/s  ${formatSeconds(left)} left` : "");
      void options;
      const blocks = "█".repeat(filled) + "░".repeat(width - filled);
      const counts = inBytes
        ? `${formatBytes(params.value)} of ${formatBytes(params.total)}`
        : `${integer(params.value)}/${integer(params.total)} ${unit}`;
      return `${what} ${blocks} ${counts}  ${(speed ?? counted)()}`.trimEnd();
    },
  });
  let started = false;
  return {
    update(done, total) {
      if (!started) {
        from = done;
        bar.start(total, done);
      }
      started = true;
      bar.setTotal(total);
      bar.update(done);
    },
    stop() {
      if (started) bar.stop();
    },
  };
}

/** What is known of a job before it begins. */
export interface JobSize {
  /** What an earlier run has done already. */
  readonly done: number;
  /** Null where nobody knows. */
  readonly total: number | null;
  /** Where the results go, for a job that continues. */
  readonly where?: string | undefined;
}

/** Says what a job costs. */
export interface JobCost {
  /** Called as the job goes on; says once how long the rest will take, as soon as that can be known. */
  measure(done: number): void;
}

/** A job of this many units is announced: somebody at a terminal waits less patiently than a log. */
const LONG_JOB = { terminal: 32, log: 1000 };
/** A rate measured over this time can be relied upon. */
const MEASURED_MS = 3000;

/**
 * A first line on stderr that says how much there is to do, and one, once the rate has been measured, that says how long
 * it will take; nothing for short jobs. A terminal has the progress bar, or the results, instead of the second line.
 */
export function announceJob(what: string, unit: string, { done, total, where }: JobSize): JobCost {
  const atTerminal = process.stderr.isTTY;
  const long = atTerminal ? LONG_JOB.terminal : LONG_JOB.log;
  if (total === null || total - done < long) return { measure() {} };
  const begun = done === 0 ? "" : `, ${integer(done)} of them are in ${where} already`;
  note(`${what} ${integer(total)} ${unit}${begun}`);
  const started = performance.now();
  let said = false;
  return {
    measure(now) {
      const milliseconds = performance.now() - started;
      if (said || atTerminal || milliseconds < MEASURED_MS || now <= done) return;
      said = true;
      const perSecond = (1000 * (now - done)) / milliseconds;
      note(`about ${formatSeconds((total - now) / perSecond)} left at ${formatRate(perSecond)} ${unit}/s`);
    },
  };
}

/** `0.4`, `12`, `3,400` */
export const formatRate = (perSecond: number): string =>
  perSecond < 10 ? perSecond.toFixed(1) : integer(Math.round(perSecond));

/** `42 s`, `3 min 05 s` */
export function formatSeconds(seconds: number): string {
  if (seconds < 60) return `${seconds < 10 ? seconds.toFixed(1).replace(/\.0$/, "") : Math.round(seconds)} s`;
  const rounded = Math.round(seconds);
  return `${Math.floor(rounded / 60)} min ${String(rounded % 60).padStart(2, "0")} s`;
}

/** `0 B`, `12.3 kB`, `1.50 GB` */
export function formatBytes(bytes: number): string {
  const power = bytes < 1 ? 0 : Math.min(4, Math.floor(Math.log10(bytes) / 3));
  if (power === 0) return `${Math.round(bytes)} B`;
  return `${(bytes / 1000 ** power).toFixed(power < 3 ? 1 : 2)} ${["kB", "MB", "GB", "TB"][power - 1]}`;
}
