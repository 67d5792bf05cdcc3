import type { Socket } from "node:net";

/** How many rows go into a batch. */
export interface Pace {
  size: number;
  measure(rows: number, milliseconds: number): void;
}

const MOST_ROWS = 256;

/**
 * Batches of about a second: results appear as they come, Ctrl-C does not wait, and a kill costs little. Results do not
 * depend on the batch.
 */
export function startPace(): Pace {
  return {
    size: 8,
    measure(rows, milliseconds) {
      if (milliseconds < 500 && rows === this.size) this.size = Math.min(MOST_ROWS, 2 * this.size);
      if (milliseconds > 2000) this.size = Math.max(1, this.size >> 1);
    },
  };
}

/** A pause this long in the input, and what has come is computed: a pipe is answered while it is open. */
const PAUSE_MS = 50;

/** Rows in batches, until they or the signal end. A pause in the input ends a batch early. */
export async function* batches<Row>(
  rows: AsyncGenerator<Row>,
  pace: Pace,
  signal: AbortSignal,
): AsyncGenerator<readonly Row[]> {
  let batch: Row[] = [];
  let next: Promise<IteratorResult<Row>> | null = null;
  try {
    while (!signal.aborted) {
      next ??= rows.next();
      const arrived = await first(next, signal, batch.length > 0 ? PAUSE_MS : null);
      if (arrived === "aborted") return;
      if (arrived !== "pause") {
        next = null;
        if (arrived.done) break;
        batch.push(arrived.value);
        if (batch.length < pace.size) continue;
      }
      yield batch;
      batch = [];
    }
    if (batch.length > 0) yield batch;
  } finally {
    if (next === null) await rows.return(undefined);
    else {
      // Nobody waits for the next row any more: an open pipe must not keep the process alive.
      next.catch(() => {});
      (process.stdin as Partial<Socket>).unref?.();
    }
  }
}

/** The next row, or what happens before it comes. */
function first<T>(
  next: Promise<T>,
  signal: AbortSignal,
  pauseMs: number | null,
): Promise<T | "pause" | "aborted"> {
  return new Promise((resolve, reject) => {
    const timer = pauseMs === null ? undefined : setTimeout(() => finish("pause"), pauseMs);
    const abort = () => finish("aborted");
    const settle = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", abort);
    };
    const finish = (value: T | "pause" | "aborted") => {
      settle();
      resolve(value);
    };
    signal.addEventListener("abort", abort);
    next.then(finish, (error) => {
      settle();
      reject(error);
    });
  });
}
