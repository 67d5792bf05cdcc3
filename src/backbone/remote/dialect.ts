// What an engine's protocol consists of. The engines themselves: vllm.ts, llama-server.ts.

import { endianness } from "node:os";
import type { Pooling } from "../../checkpoint/remote-location.ts";

/** What an engine says about itself; null where it does not. */
export interface ServedModel {
  /** The name to ask for it by. */
  readonly name: string;
  /** Longest sequence. */
  readonly maxTokens: number | null;
  readonly hiddenSize: number | null;
  /** What its weights are stored in: `bf16`. */
  readonly dtype: string | null;
}

/** The rows of one id list. */
export interface AnsweredList {
  /** The place that the engine gives it, from 0. */
  readonly index: unknown;
  /** Row after row; null where they are in no shape that can be read. */
  readonly values: Float32Array | null;
  /** Of a row, where the answer tells. */
  readonly width: number | null;
}

export interface Answer {
  readonly lists: readonly AnsweredList[];
  /** Tokens that the engine has read, or null. */
  readonly promptTokens: number | null;
}

/** What is wrong with states that an engine returns. */
export type Fault = "normalized" | "truncated" | "usage" | "order" | "rows" | "width" | "not-finite";

export interface Dialect {
  /** Whether it can be asked for a row per token of one id. */
  readonly steps: boolean;
  /** Where to send lists, below the endpoint. */
  path(pooling: Pooling): string;
  body(lists: readonly (readonly number[])[], model: string, pooling: Pooling): object;
  /** @returns Null where the answer is none of these. */
  read(answer: unknown): Answer | null;
  /** Reads `/v1/models`. */
  readModels(answer: unknown): ServedModel[];
  /** What to change about the engine, by its own options. */
  remedy(fault: Fault, pooling: Pooling): string;
  /** The command that starts it. */
  serve(pooling: Pooling): string;
}

/** Reads rows in any of the shapes in use: base64 of float32 little-endian, a list of numbers, a list of lists of them. */
export function readRows(value: unknown): Omit<AnsweredList, "index"> {
  if (typeof value === "string") return { values: fromBase64(value), width: null };
  if (!Array.isArray(value)) return { values: null, width: null };
  if (!Array.isArray(value[0])) return { values: fromNumbers(value), width: value.length };
  const width: number = value[0].length;
  const values = new Float32Array(value.length * width);
  for (const [i, row] of value.entries()) {
    const numbers = Array.isArray(row) && row.length === width ? fromNumbers(row) : null;
    if (numbers === null) return { values: null, width: null };
    values.set(numbers, i * width);
  }
  return { values, width };
}

function fromBase64(text: string): Float32Array | null {
  const bytes = Buffer.from(text, "base64");
  if (bytes.length % 4 !== 0) return null;
  if (endianness() === "BE") bytes.swap32();
  const values = new Float32Array(bytes.length / 4);
  new Uint8Array(values.buffer).set(bytes);
  return values;
}

/** JSON has no NaN: engines write null for it. */
function fromNumbers(values: readonly unknown[]): Float32Array | null {
  const numbers = Float32Array.from(values, (value) => (value === null ? Number.NaN : (value as number)));
  return values.every((value) => typeof value === "number" || value === null) ? numbers : null;
}

/** A field of an answer, whatever that is. */
export function field(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}

/** A count that an engine states, or null. */
export const countOrNull = (value: unknown): number | null =>
  Number.isSafeInteger(value) && (value as number) > 0 ? (value as number) : null;
