// What a stopped run needs to go on as if it had not stopped, in one file that is there whole or not at all.
// N pairs on the training side, G groups, E evaluations.

import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { isProcessAlive } from "../checkpoint/process-alive.ts";
import {
  readSafetensors,
  readSafetensorsHeader,
  type Tensor,
  writeSafetensors,
} from "../checkpoint/safetensors.ts";
import type { AdamWState, Weights } from "../engine/optimizer.ts";
import { InputError } from "../errors.ts";
import type { Random } from "../random.ts";
import type { GatingPairs } from "./gating-batches.ts";
import type { BestWeightsState, GatingEvaluation } from "./gating-evaluation.ts";
import type { ResolvedGatingOptions } from "./gating-options.ts";
import type { Parameter } from "./gating-parameters.ts";
import type { SamplerState } from "./gating-sampling.ts";

export interface CheckpointOptions {
  /** A folder, made if absent. A checkpoint of this run that is there is gone on from. */
  readonly directory: string;
  /** Steps between two checkpoints, besides those of an abort and of the end. An integer ≥ 1, default 500. */
  readonly everySteps?: number;
}

/** The file of a checkpoint folder. */
export const CHECKPOINT_FILE = "gating-checkpoint.safetensors";

const FORMAT = "armorm-gating-checkpoint";
const VERSION = "1";

/** What makes two runs the same run. */
export interface RunIdentity {
  readonly options: ResolvedGatingOptions;
  /** Hash of the pairs and their sides, the given batches, and the initial parameters. */
  readonly data: string;
}

/** Everything that changes in the course of a run; live arrays, which loading a checkpoint writes into. */
export interface TrainingState {
  readonly parameters: readonly Parameter[];
  readonly optimizer: AdamWState;
  readonly sampler: SamplerState;
  readonly batchRandom: Random;
  readonly maskRandom: Random;
  /** Per step. */
  readonly loss: number[];
  readonly gradientNorm: number[];
  readonly learningRate: number[];
}

/** What a checkpoint holds beside the state. */
export interface Progress {
  /** Rows of the next batch, drawn already; undefined after the last one. */
  readonly upcoming: ArrayLike<number> | undefined;
  readonly kept: BestWeightsState;
}

/** The hash that `RunIdentity.data` wants. Of prompt embeddings, 64 rows spread over all stand for the rest. */
export async function hashRun(
  pairs: GatingPairs,
  {
    hiddenSize,
    sides,
    groups,
    batches,
    parameters,
  }: {
    readonly hiddenSize: number;
    readonly sides: readonly Uint32Array[];
    readonly groups: readonly string[] | undefined;
    readonly batches: readonly ArrayLike<number>[] | undefined;
    readonly parameters: readonly Parameter[];
  },
): Promise<string> {
  const { rows } = pairs.prompts;
  const length = Math.min(64, rows);
  const sample = Uint32Array.from({ length }, (_, i) => Math.floor((i * rows) / length));
  const prompts = new Float32Array(sample.length * hiddenSize);
  await pairs.prompts.gather(sample, prompts);
  const hash = createHash("sha256");
  const arrays = [prompts, pairs.differences, pairs.targets, pairs.sums, ...sides];
  for (const array of arrays) {
    hash.update(`|${array?.length}|`);
    if (array) hash.update(new Uint8Array(array.buffer, array.byteOffset, array.byteLength));
  }
  hash.update(JSON.stringify([groups ?? null, batches?.map((batch) => Array.from(batch)) ?? null]));
  // The scale comes last, and the options name it.
  for (const { data } of parameters.slice(0, -1)) {
    hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  return hash.digest("hex");
}

/** Writes a checkpoint under a temporary name, syncs it, and renames it over the one before. */
export async function saveCheckpoint(
  directory: string,
  { options, data }: RunIdentity,
  state: TrainingState,
  { upcoming, kept }: Progress,
): Promise<void> {
  await mkdir(directory, { recursive: true });
  const { evaluations, best, weights, withoutProgress } = kept;
  const looks = evaluations.flatMap(({ step, loss, accuracy }) => [step, loss, accuracy]);
  const tensors = new Map<string, Tensor>([
    ...liveTensors(state),
    ...state.parameters.flatMap(({ name, shape }, i): [string, Tensor][] =>
      weights[i] ? [[`best.${name}`, tensorOf(weights[i], shape)]] : [],
    ),
    ["upcoming", { dtype: "U32", shape: [upcoming?.length ?? 0], data: Uint32Array.from(upcoming ?? []) }],
    ["random.batches", { dtype: "U32", shape: [4], data: state.batchRandom.save() }],
    ["random.masks", { dtype: "U32", shape: [4], data: state.maskRandom.save() }],
    ["evaluations", tensorOf(Float64Array.from(looks), [evaluations.length, 3])],
    ...HISTORIES.map((name): [string, Tensor] => [
      `history.${name}`,
      tensorOf(Float64Array.from(state[name]), [state[name].length]),
    ]),
  ]);
  await writeSafetensors(join(directory, CHECKPOINT_FILE), tensors, {
    format: FORMAT,
    version: VERSION,
    options: stableJson(options),
    data,
    steps: String(state.optimizer.steps),
    withoutProgress: String(withoutProgress),
    best: String(best ? evaluations.indexOf(best) : -1),
  });
}

/**
 * Brings the state to where the checkpoint in `directory` left it.
 *
 * What a killed process was writing when it died is not looked at, and removed.
 *
 * @returns Null where there is no checkpoint; the state is then as it was.
 * @throws {InputError} `foreign-checkpoint` where it is of another run, or something else; `malformed-safetensors`.
 */
export async function loadCheckpoint(
  directory: string,
  identity: RunIdentity,
  state: TrainingState,
): Promise<Progress | null> {
  await removeAbandoned(directory);
  const path = join(directory, CHECKPOINT_FILE);
  if (!existsSync(path)) return null;
  const { metadata } = await readSafetensorsHeader(path);
  requireSameRun(path, metadata, identity);
  const tensors = await readSafetensors(path);
  const take = (name: string): Tensor["data"] => {
    const tensor = tensors.get(name);
    if (tensor) return tensor.data;
    throw foreign(path, `a tensor ${name}`, "none");
  };
  for (const [name, tensor] of liveTensors(state)) (tensor.data as Weights).set(take(name) as Weights);
  state.optimizer.steps = Number(metadata.get("steps"));
  state.batchRandom.restore(take("random.batches") as Uint32Array);
  state.maskRandom.restore(take("random.masks") as Uint32Array);
  for (const name of HISTORIES) {
    for (const value of take(`history.${name}`) as Float64Array) state[name].push(value);
  }
  const looks = take("evaluations") as Float64Array;
  const evaluations = Array.from({ length: looks.length / 3 }, (_, i): GatingEvaluation => {
    const [step, loss, accuracy] = looks.subarray(3 * i, 3 * i + 3);
    return { step: step!, loss: loss!, accuracy: accuracy! };
  });
  const weights = state.parameters.flatMap(({ name }) =>
    tensors.has(`best.${name}`) ? [take(`best.${name}`) as Weights] : [],
  );
  const best = evaluations[Number(metadata.get("best"))];
  const withoutProgress = Number(metadata.get("withoutProgress"));
  const upcoming = take("upcoming") as Uint32Array;
  return {
    upcoming: upcoming.length > 0 ? upcoming : undefined,
    kept: { evaluations, best, weights, withoutProgress },
  };
}

/** Removes the checkpoint of a run that needs it no longer. */
export async function removeCheckpoint(directory: string): Promise<void> {
  await rm(join(directory, CHECKPOINT_FILE), { force: true });
}

const HISTORIES = ["loss", "gradientNorm", "learningRate"] as const;

/** The arrays that a run keeps for its whole life. */
function liveTensors({ parameters, optimizer, sampler }: TrainingState): [string, Tensor][] {
  const { order, positions, drawn } = sampler;
  return [
    ...parameters.flatMap(({ name, shape, data }, i): [string, Tensor][] => [
      [`parameters.${name}`, tensorOf(data, shape)],
      [`means.${name}`, tensorOf(optimizer.means[i]!, shape)],
      [`squares.${name}`, tensorOf(optimizer.squares[i]!, shape)],
    ]),
    ["sampler.order", { dtype: "U32", shape: [order.length], data: order }],
    ["sampler.positions", { dtype: "U32", shape: [positions.length], data: positions }],
    ["sampler.drawn", tensorOf(drawn, [drawn.length])],
  ];
}

function tensorOf(data: Weights, shape: readonly number[]): Tensor {
  return { dtype: data instanceof Float32Array ? "F32" : "F64", shape, data };
}

/** JSON that says `Infinity`, which JSON has no word for. */
function stableJson(options: ResolvedGatingOptions): string {
  return JSON.stringify(options, (_, value) => (value === Number.POSITIVE_INFINITY ? "Infinity" : value));
}

function requireSameRun(
  path: string,
  metadata: ReadonlyMap<string, string>,
  { options, data }: RunIdentity,
): void {
  if (metadata.get("format") !== FORMAT || metadata.get("version") !== VERSION) {
    const got = metadata.get("format") === FORMAT ? `version ${metadata.get("version")}` : "something else";
    throw foreign(path, `${FORMAT} version ${VERSION}`, got);
  }
  const written: Record<string, unknown> = JSON.parse(metadata.get("options") ?? "{}");
  const wanted: Record<string, unknown> = JSON.parse(stableJson(options));
  const names = [...new Set([...Object.keys(wanted), ...Object.keys(written)])];
  const sameData = metadata.get("data") === data;
  const different = names.filter(
    (name) =>
      JSON.stringify(wanted[name]) !== JSON.stringify(written[name]) && (sameData || name !== "initialScale"), // Other pairs may have given another one.
  );
  if (different.length > 0) {
    const list = (values: Record<string, unknown>) =>
      different.map((name) => `${name} ${JSON.stringify(values[name])}`).join(", ");
    throw foreign(path, `a checkpoint of this run, with ${list(wanted)}`, list(written));
  }
  if (!sameData) {
    throw foreign(path, "a checkpoint of this run", "one with other pairs, rewards or initial weights");
  }
}

function foreign(path: string, expected: string, got: string): InputError {
  return new InputError(
    "foreign-checkpoint",
    `${path}: expected ${expected}, got ${got}`,
    "train with the options and data it was made with, give another folder, or delete it",
  );
}

async function removeAbandoned(directory: string): Promise<void> {
  if (!existsSync(directory)) return;
  for (const name of await readdir(directory)) {
    const [, pid] = /^gating-checkpoint\.safetensors\.(\d+)-[0-9a-f]+\.tmp$/.exec(name) ?? [];
    if (pid && !isProcessAlive(Number(pid))) await rm(join(directory, name), { force: true });
  }
}
