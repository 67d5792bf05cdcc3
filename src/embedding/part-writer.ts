/** Writes one thing at a time, behind its caller's back. */
export interface PartWriter {
  /** Aborted, with the error as its reason, once a write has failed. */
  readonly failed: AbortSignal;
  /** Begins a write. The one before it must be done. */
  begin(write: () => Promise<void>): void;
  /** Resolves when everything is written; rejects with what has failed. */
  done(): Promise<void>;
}

/** Parts are written, and synced, while the next one is computed. */
export function startPartWriter(): PartWriter {
  const failing = new AbortController();
  let last: Promise<void> = Promise.resolve();
  return {
    failed: failing.signal,
    begin(write) {
      last = write();
      last.catch((error) => failing.abort(error));
    },
    done: () => last,
  };
}
