// Quantizing a checkpoint's weights, which happens once and takes a while: what it is for, how far it is, and Ctrl-C.

import type { BackboneOptions } from "../backbone/backbone.ts";
import { Interrupted } from "./failure.ts";
import { note } from "./output.ts";
import { formatBytes, formatSeconds, startProgress } from "./progress.ts";

/** Below this nobody waits long enough to be told. */
const WORTH_TELLING_BYTES = 2e8;

/**
 * Opens something whose weights may have to be quantized, with progress on stderr.
 *
 * @throws {Interrupted} On Ctrl-C: nothing of the quantization is kept.
 */
export async function watchQuantizing<T>(
  open: (options: Pick<BackboneOptions, "onQuantize" | "onNote" | "signal">) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  const stop = () => controller.abort(new Interrupted("stopped while quantizing the weights"));
  process.once("SIGINT", stop);
  const progress = startProgress("quantizing", "bytes");
  const started = performance.now();
  let told = false;
  try {
    const opened = await open({
      signal: controller.signal,
      onNote: note,
      onQuantize: (done, total) => {
        if (!told && total > WORTH_TELLING_BYTES) {
          told = true;
          note(`quantizing ${formatBytes(total / 2)} of weights, once: armorm cache lists what is kept`);
        }
        if (told) progress.update(done, total);
      },
    });
    progress.stop();
    if (told) note(`quantized and loaded in ${formatSeconds((performance.now() - started) / 1000)}`);
    return opened;
  } finally {
    progress.stop();
    process.removeListener("SIGINT", stop);
  }
}
