import pc from "picocolors";
import { InputError } from "../errors.ts";

/** Exit codes: 0 done, 1 failed, 2 wrong usage or bad input, 130 interrupted. */
export const EXIT = { failed: 1, badInput: 2, interrupted: 130 } as const;

/** A run that the user stopped; what is done is kept. */
export class Interrupted extends Error {}

/** Says in one line what went wrong, and what to do about it; a stack only with `--debug`. Sets the exit code. */
export function fail(error: unknown): void {
  const debug = process.argv.includes("--debug");
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof Interrupted) {
    process.stderr.write(`${message}\n`);
    process.exitCode = EXIT.interrupted;
    return;
  }
  process.stderr.write(`${pc.red("error:")} ${message}\n`);
  if (error instanceof InputError) process.stderr.write(`       ${error.remedy}\n`);
  else if (!debug) process.stderr.write("       this looks like a fault of armorm; --debug prints where\n");
  if (debug && error instanceof Error) process.stderr.write(`${error.stack}\n`);
  process.exitCode = error instanceof InputError ? EXIT.badInput : EXIT.failed;
}

/** Ends the process quietly when whoever reads stdout has seen enough, as `head` has. */
export function endWithClosedPipe(): void {
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
    process.exit(0);
  });
}

/** Aborts on the first Ctrl-C, so that a job can finish its current part; the second one kills. */
export function interruptSignal(): AbortSignal {
  const controller = new AbortController();
  process.once("SIGINT", () => {
    process.stderr.write("\nfinishing the current part; press Ctrl-C again to stop at once\n");
    controller.abort(new Interrupted("interrupted"));
  });
  return controller.signal;
}
