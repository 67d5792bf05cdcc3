// Token ids in, hidden states out: a backbone and the one that runs on this machine; remote/ holds the other.
//
// T tokens of a sequence, P requested positions, H hidden size.

import { setImmediate } from "node:timers/promises";
import { openCheckpoint } from "../checkpoint/checkpoint.ts";
import { parseRemoteLocation } from "../checkpoint/remote-location.ts";
import type { Device } from "../engine/devices.ts";
import type { Graph } from "../engine/graph.ts";
import { isOutOfMemory } from "../engine/out-of-memory.ts";
import { type Feed, openSession, type Session, type SessionOptions } from "../engine/session.ts";
import { InputError } from "../errors.ts";
import { describeDecoder } from "./architectures/families.ts";
import { type ArithmeticOptions, type BackboneDtype, chooseArithmetic } from "./arithmetic.ts";
import { type Decoder, linearMatrices } from "./decoder.ts";
import { buildDecoderGraph } from "./decoder-graph.ts";
import { lookForFinite } from "./finite-states.ts";
import { availableMemory, mustCastLate, runBudget } from "./memory.ts";
import { nextTokenLogits } from "./next-token-logits.ts";
import { type Pack, packSequences, type Sequence } from "./packing.ts";
import { openQuantized } from "./quantization/cache.ts";
import { type RopeTable, ropeTable } from "./rope.ts";
import { computeOrSplit } from "./run-splitting.ts";
import { planRuns } from "./runs.ts";
import { countTokens, sequenceOf } from "./sequences.ts";

/** One sequence, and the positions whose hidden states are wanted. */
export interface HiddenStatesRequest {
  /** Token ids, at least one, nothing added to them. */
  readonly ids: readonly number[];
  /** In any order, repeats allowed. Default: all positions. */
  readonly positions?: readonly number[];
}

/** One sequence, and the token ids whose logits are wanted as its continuation. */
export interface NextTokenLogitsRequest extends HiddenStatesRequest {
  /** Where the next token would follow. Default: the last position alone. */
  readonly positions?: readonly number[];
  /** In any order, repeats allowed. */
  readonly tokenIds: readonly number[];
}

export interface HiddenStatesOptions {
  /** Checked between runs; a run itself cannot be interrupted. */
  readonly signal?: AbortSignal;
  /**
   * Called after each run with the tokens of the requests done so far, of all, and the milliseconds that runs of this call have
   * taken; engines elsewhere do not say the last.
   */
  readonly onProgress?: (doneTokens: number, totalTokens: number, computedMs?: number) => void;
  /**
   * Give states that are not finite as they are, instead of throwing `not-finite`: the caller looks for them. Their sequences are
   * computed twice, the second time alone. Still thrown where the first 256 sequences have none that is finite. Default false.
   */
  readonly keepNotFinite?: boolean;
}

export interface Backbone extends AsyncDisposable {
  readonly hiddenSize: number;
  /** Longest sequence it takes. */
  readonly maxTokens: number;
  readonly vocabSize: number;
  /** Same weights, same fingerprint, whatever heads the checkpoint carries. `remote-…` where an engine's weights are not at hand. */
  readonly fingerprint: string;
  /** The arithmetic, whatever the checkpoint stores; of a remote engine what its location says, else `remote:unknown`. */
  readonly dtype: BackboneDtype | RemoteDtype;
  /** Where it computes. */
  readonly device: Device | "remote";
  /**
   * Hidden states after the final norm, at the requested positions.
   *
   * A row depends on nothing but the tokens up to its position: alone or in any batch its bits are the same (on the CPU; on
   * GPUs that is not proven, and remote engines do not promise it). Prefixes that requests of one call share are computed once. What does not fit in memory together
   * is computed in smaller parts.
   *
   * @returns Per request, in order, `[P, H]` row-major.
   * @throws {InputError} `out-of-memory` when one sequence alone does not fit; `not-finite` when values outgrow
   * f16, or weights are damaged; `remote-…` for an engine that does not answer, or not with these states.
   * @throws {RangeError} When an id is outside the vocabulary, a position outside the sequence, or a sequence empty or
   * longer than `maxTokens`.
   */
  hiddenStates(
    requests: readonly HiddenStatesRequest[],
    options?: HiddenStatesOptions,
  ): Promise<Float32Array[]>;
  /**
   * Logits of chosen tokens as the next one, at chosen positions, as the causal head gives them (soft-capped where the
   * model does that). Their bits do not depend on the batch either.
   *
   * @returns Per request, in order, `[positions, tokenIds]` row-major.
   * @throws {InputError} `no-output-head` when the checkpoint is not causal.
   * @throws {RangeError} As `hiddenStates`; when a token id is outside the vocabulary.
   *
   * Cost: `hiddenStates` at these positions, H multiply-adds per logit, and H values read per distinct token id: the head
   * as a whole is never in memory.
   */
  nextTokenLogits(
    requests: readonly NextTokenLogitsRequest[],
    options?: HiddenStatesOptions,
  ): Promise<Float32Array[]>;
  close(): Promise<void>;
}

/** What a remote engine computes in: `remote:bf16`. */
export type RemoteDtype = `remote:${string}`;

export interface BackboneOptions extends ArithmeticOptions {
  /** Threads of one operator. Default: one per physical core. */
  readonly threads?: number;
  /**
   * Keep it in a child process, which leaves this process's event loop free while it computes. Default: false. Nothing to an
   * engine elsewhere.
   */
  readonly isolate?: boolean;
  /** Called with bytes while weights are quantized, which happens once per checkpoint and dtype. */
  readonly onQuantize?: (doneBytes: number, totalBytes: number) => void;
  readonly signal?: AbortSignal;
}

/**
 * Opens the backbone of a checkpoint (a directory, `tiny`, or `org/name[@revision]` on the hub), weights read from the checkpoint's
 * own files, or from quantized copies in the cache; or one that an engine serves elsewhere (`vllm+http://host:8000#org/name`,
 * docs/remote-backbones.md), which takes no dtype and no device.
 *
 * @throws {InputError} `unsupported-model`, by the name of what is not supported; `missing-device`; `out-of-memory` when the
 *   weights do not fit; what `openCheckpoint` refuses.
 *
 * Cost: on the CPU f32 takes 4 bytes a parameter and some seconds to load; a checkpoint of f16 or bf16 for which that is too
 * much is widened as it is used, with no memory beyond the mapped files. int8 takes 1.03 bytes a parameter, int4 0.63.
 * `hiddenStates` blocks the event loop while a run computes, unless the backbone is isolated.
 */
export async function openBackbone(location: string, options: BackboneOptions = {}): Promise<Backbone> {
  const remote = parseRemoteLocation(location);
  if (remote !== null) {
    const { openRemoteBackbone } = await import("./remote/remote-backbone.ts");
    return await openRemoteBackbone(remote, options);
  }
  if (options.isolate) {
    const { openIsolatedBackbone } = await import("./isolated/isolated-backbone.ts");
    return await openIsolatedBackbone(location, options);
  }
  const { threads, signal, onNote, onQuantize: onProgress } = options;
  const checkpoint = await openCheckpoint(location);
  const decoder = describeDecoder(checkpoint);
  const { device, dtype, graph } = await chooseArithmetic(decoder, options);
  const source = checkpoint.directory;
  const quantized =
    dtype === "f32" || dtype === "f16"
      ? undefined
      : await openQuantized(linearMatrices(decoder), dtype, { source, signal, onNote, onProgress });
  // Where f16 and bf16 matrices cannot all be widened for good, they are at every use, on one thread: on several, ONNX Runtime
  // adds products with matrices that it has not packed in an order that depends on the batch.
  const lateCasts = device === "cpu" && dtype === "f32" && mustCastLate(decoder, availableMemory());
  if (lateCasts) onNote?.(LATE_CASTS);
  const session = await openDecoder(buildDecoderGraph(decoder, { ...graph, quantized, lateCasts }), {
    device,
    ...(lateCasts ? { threads: 1, config: NO_FOLDING } : threads === undefined ? {} : { threads }),
  });
  return localBackbone(decoder, session, { fingerprint: checkpoint.fingerprint, dtype, device });
}

const LATE_CASTS =
  "too little memory to hold the weights in f32: they are widened as they are used, on one thread; int8 is faster";
const NO_FOLDING = { "optimization.disable_specified_optimizers": "ConstantFolding" };

async function openDecoder(graph: Graph, options: SessionOptions): Promise<Session> {
  try {
    return await openSession(graph, options);
  } catch (error) {
    if (!isOutOfMemory(error)) throw error;
    throw new InputError(
      "out-of-memory",
      `openBackbone: expected memory for the weights on device ${options.device}, got too little`,
      "use dtype int8 or int4, a smaller model, or a machine with more memory",
    );
  }
}

function localBackbone(
  decoder: Decoder,
  session: Session,
  about: { readonly fingerprint: string; readonly dtype: BackboneDtype; readonly device: Device },
): Backbone {
  const { hiddenSize, maxTokens, vocabSize, headSize, rope } = decoder;
  // Products over heads wider than 128 are added up in another order where keys are few: their number goes in steps of 128.
  const slotMultiple = headSize <= 128 ? 8 : 128;
  let table = ropeTable(rope, 0);
  let closed = false;

  const close = async () => {
    if (closed) return;
    closed = true;
    await session.close();
  };

  /** Rows `[P, H]` of every sequence of a run. */
  const computeRows = async (members: readonly Sequence[]): Promise<Float32Array[]> => {
    if (closed) throw new Error("hiddenStates: the backbone is closed");
    const pack = packSequences(members, slotMultiple);
    if (pack.rows.length === 0) return members.map(() => new Float32Array(0));
    if (table.positions < pack.longest) table = ropeTable(rope, Math.min(maxTokens, 2 * pack.longest));
    const hidden = (await session.run(feedsOf(pack, table))).hidden!.data as Float32Array; // [R, H]
    return pack.rowsOf.map((rows) => {
      const result = new Float32Array(rows.length * hiddenSize);
      copyRows(hidden, rows, hiddenSize, result);
      return result;
    });
  };

  const backbone: Backbone = {
    hiddenSize,
    maxTokens,
    vocabSize,
    ...about,
    close,
    [Symbol.asyncDispose]: close,
    nextTokenLogits: (requests, options) => nextTokenLogits(backbone, decoder, requests, options),
    async hiddenStates(requests, { signal, onProgress, keepNotFinite = false } = {}) {
      const sequences = requests.map((request) => sequenceOf(request, decoder));
      const results: Float32Array[] = new Array(sequences.length);
      const totalTokens = countTokens(sequences);
      let [doneTokens, computedMs] = [0, 0];
      const runs = planRuns(
        sequences.map(({ ids }) => ids),
        runBudget(decoder, availableMemory()),
      );
      const compute = (members: readonly Sequence[]) =>
        computeOrSplit(members, computeRows, ({ ids }) => ids.length);
      const look = lookForFinite(keepNotFinite);
      const refusal = () => notFinite(about.dtype);
      for (const run of runs) {
        signal?.throwIfAborted();
        const members = run.map((index) => sequences[index]!);
        const started = performance.now();
        const computed = await compute(members);
        const rows = await look(members, computed, refusal, async (one) => (await compute([one]))[0]!);
        computedMs += performance.now() - started;
        run.forEach((index, i) => {
          results[index] = rows[i]!;
        });
        doneTokens += countTokens(members);
        onProgress?.(doneTokens, totalTokens, computedMs);
        await setImmediate(); // Lets timers, input and the signal through between runs.
      }
      return results;
    },
  };
  return backbone;
}

function notFinite(dtype: BackboneDtype): InputError {
  return new InputError(
    "not-finite",
    `hiddenStates: expected finite hidden states, got NaN or infinity in ${dtype}`,
    dtype === "f32" ? "the checkpoint's weights are damaged" : "values may outgrow f16: use dtype f32",
  );
}

function feedsOf(pack: Pack, table: RopeTable): Record<string, Feed> {
  const T = pack.ids.length;
  const { paths: B, slotsPerPath: S } = pack;
  const slotNumbers = Float32Array.from({ length: S }, (_, slot) => slot);
  const rope = (values: Float32Array): Feed => {
    const half = table.pairs;
    const rows = new Float32Array(T * half);
    copyRows(values, pack.positions, half, rows);
    return { data: rows, shape: [1, T, half] };
  };
  return {
    ids: { data: pack.ids, shape: [T] },
    cos: rope(table.cos),
    sin: rope(table.sin),
    tokenOfSlot: { data: pack.tokenOfSlot, shape: [B, S] },
    slotOfToken: { data: pack.slotOfToken, shape: [T] },
    lastSlot: { data: new Int32Array(B).fill(S - 1), shape: [B] },
    slots: { data: Int32Array.of(S), shape: [1] },
    slotRow: { data: slotNumbers, shape: [S, 1] },
    slotColumn: { data: slotNumbers, shape: [1, S] },
    rows: { data: pack.rows, shape: [pack.rows.length] },
  };
}

/** `into[i] = from[rows[i]]`, rows of `width` values. */
function copyRows(from: Float32Array, rows: Int32Array, width: number, into: Float32Array): void {
  rows.forEach((row, i) => {
    into.set(from.subarray(row * width, (row + 1) * width), i * width);
  });
}
