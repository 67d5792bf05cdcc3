import { useRef, useState } from "preact/hooks";
import { ServerFailure } from "./model-server.ts";

export interface Work {
  readonly running: boolean;
  /** Starts a piece of work, and cancels the one before: of two answers, the one asked for later counts. */
  perform(job: (signal: AbortSignal) => Promise<void>): Promise<void>;
  cancel(): void;
}

/** Work that the server does, one piece at a time. Whatever it has against it goes to `onFailure`, which gets null as a piece starts. */
export function useWork(onFailure: (failure: ServerFailure | null) => void): Work {
  const current = useRef<AbortController | null>(null);
  const [running, setRunning] = useState(false);
  const cancel = () => {
    current.current?.abort();
    current.current = null;
    setRunning(false);
  };
  const perform = async (job: (signal: AbortSignal) => Promise<void>) => {
    cancel();
    const controller = new AbortController();
    current.current = controller;
    onFailure(null);
    setRunning(true);
    try {
      await job(controller.signal);
    } catch (error) {
      if (!controller.signal.aborted) onFailure(asFailure(error));
    } finally {
      if (current.current === controller) cancel();
    }
  };
  return { running, perform, cancel };
}

export const asFailure = (error: unknown): ServerFailure =>
  error instanceof ServerFailure
    ? error
    : new ServerFailure(`The page failed: ${String(error)}`, "load it again, and tell us what you did", null);
