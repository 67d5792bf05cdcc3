// A checkpoint's matrices, streamed through quantization into one safetensors file.

import { open } from "node:fs/promises";
import { elementBytes } from "../../checkpoint/dtypes.ts";
import type { TensorRange } from "../../checkpoint/safetensors-header.ts";
import { layOutSafetensors, type TensorShape } from "../../checkpoint/safetensors-writer.ts";
import { type BlockScheme, blockBytes, blocksPerRow } from "./blocks.ts";
import type { QuantizeTask } from "./tasks.ts";
import { runTasks } from "./worker-pool.ts";

/** Values of a piece that one task reads; its memory is about nine bytes for each. */
const TASK_VALUES = 4 * 2 ** 20;

export interface QuantizeOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called with the bytes read so far, and of all. */
  readonly onProgress?: ((doneBytes: number, totalBytes: number) => void) | undefined;
}

/** Names of a quantized matrix's two tensors. */
export const quantizedNames = (name: string) => ({ weights: `${name}.q`, scales: `${name}.s` });

/** The tensors of the quantized file: per matrix integers `[N, B, blockBytes]` and scales `[N, B]`. */
export function quantizedShapes(
  matrices: readonly TensorRange[],
  scheme: BlockScheme,
): Map<string, TensorShape> {
  return new Map(
    matrices.flatMap(({ name, shape }): [string, TensorShape][] => {
      const [N, K] = shape as [number, number];
      const B = blocksPerRow(K, scheme);
      const names = quantizedNames(name);
      return [
        [names.weights, { dtype: "U8", shape: [N, B, blockBytes(scheme)] }],
        [names.scales, { dtype: "F32", shape: [N, B] }],
      ];
    }),
  );
}

/**
 * Quantizes matrices `[N, K]` into a new file at `path`, which is synced but not renamed.
 *
 * Cost: the checkpoint's bytes are read once. Memory: some 40 MB a thread, whatever the size of the checkpoint.
 *
 * @throws {InputError} `bad-weights` for NaN or infinity. File errors as they are.
 */
export async function quantizeMatrices(
  matrices: readonly TensorRange[],
  scheme: BlockScheme,
  path: string,
  { signal, onProgress }: QuantizeOptions = {},
): Promise<void> {
  const { header, offsets, bytes } = layOutSafetensors(quantizedShapes(matrices, scheme));
  const handle = await open(path, "wx");
  try {
    await handle.write(header);
    await handle.truncate(bytes);
    const tasks = matrices.flatMap((matrix) => tasksOf(matrix, scheme, path, offsets));
    const totalBytes = matrices.reduce((sum, { length }) => sum + length, 0);
    let doneBytes = 0;
    await runTasks(tasks, totalBytes, {
      signal,
      onDone: (task) => {
        const { rows, columns, dtype } = task as QuantizeTask;
        doneBytes += rows * columns * elementBytes(dtype);
        onProgress?.(doneBytes, totalBytes);
      },
    });
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function tasksOf(
  { name, dtype, shape, file, offset }: TensorRange,
  scheme: BlockScheme,
  target: string,
  offsets: ReadonlyMap<string, number>,
): QuantizeTask[] {
  const [N, K] = shape as [number, number];
  const B = blocksPerRow(K, scheme);
  const names = quantizedNames(name);
  const step = Math.max(1, Math.floor(TASK_VALUES / K));
  return Array.from({ length: Math.ceil(N / step) }, (_, i): QuantizeTask => {
    const first = i * step;
    return {
      kind: "quantize",
      name,
      file,
      dtype,
      offset: offset + first * K * elementBytes(dtype),
      rows: Math.min(step, N - first),
      columns: K,
      scheme,
      target,
      weightsOffset: offsets.get(names.weights)! + first * B * blockBytes(scheme),
      scalesOffset: offsets.get(names.scales)! + first * B * 4,
    };
  });
}
