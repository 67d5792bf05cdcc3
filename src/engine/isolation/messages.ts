// What a program and a process of its own, in which something is isolated, say to each other. No message is big: building or
// reading one blocks both sides, so arguments and results travel in chunks.

import { InputError } from "../../errors.ts";

/** To the process. Calls have numbers and may overlap; the list of a task comes before it, in `items`. */
export type Request<Task> = { readonly call: number } & (
  | { readonly kind: "items"; readonly items: readonly unknown[] }
  | { readonly kind: "run"; readonly task: Task }
  /** The results have arrived. */
  | { readonly kind: "next" }
  | { readonly kind: "abort" }
);

/** From the process: any number of `progress`, `note` and `results`, then `done` or `failed`. */
export type Reply = { readonly call: number } & (
  | { readonly kind: "progress"; readonly progress: Progress }
  | { readonly kind: "note"; readonly line: string }
  | { readonly kind: "results"; readonly results: readonly unknown[] }
  | { readonly kind: "done"; readonly value: unknown }
  | { readonly kind: "failed"; readonly error: PlainError }
);

/** How much is done, of how much; and what else a progress callback is told. */
export type Progress = readonly [done: number, total: number, computedMs?: number];

const CHUNK_SIZE = 1 << 16;

/** The items in order, in chunks of about 64 K characters or numbers, at least one item each. */
export function* chunksOf<Item>(items: Iterable<Item>): Generator<Item[]> {
  let chunk: Item[] = [];
  let size = 0;
  for (const item of items) {
    chunk.push(item);
    size += sizeOf(item);
    if (size < CHUNK_SIZE) continue;
    yield chunk;
    chunk = [];
    size = 0;
  }
  if (chunk.length > 0) yield chunk;
}

function sizeOf(value: unknown): number {
  if (typeof value === "string") return value.length;
  if (typeof value !== "object" || value === null) return 1;
  if (isNumbers(value)) return value.length;
  return Object.values(value).reduce((sum: number, part) => sum + sizeOf(part), 1);
}

const isNumbers = (value: object): value is ArrayLike<number> =>
  value instanceof Float32Array || (Array.isArray(value) && typeof value[0] === "number");

/** An error as plain data: a structured clone keeps neither classes nor codes. */
export interface PlainError {
  readonly type: "InputError" | "RangeError" | "TypeError" | "SyntaxError" | "Error";
  readonly message: string;
  readonly stack: string | undefined;
  readonly code: string | undefined;
  readonly remedy: string | undefined;
}

export function toPlainError(error: unknown): PlainError {
  const { message, stack } = error instanceof Error ? error : new Error(String(error));
  const { code, remedy } = (error ?? {}) as { code?: unknown; remedy?: unknown };
  return {
    type: typeOf(error),
    message,
    stack,
    code: typeof code === "string" ? code : undefined,
    remedy: typeof remedy === "string" ? remedy : undefined,
  };
}

function typeOf(error: unknown): PlainError["type"] {
  if (error instanceof InputError) return "InputError";
  if (error instanceof RangeError) return "RangeError";
  if (error instanceof TypeError) return "TypeError";
  return error instanceof SyntaxError ? "SyntaxError" : "Error";
}

const CLASSES = { RangeError, TypeError, SyntaxError, Error };

/** The error that a plain one was, with the stack of the process it comes from. */
export function fromPlainError({ type, message, stack, code, remedy }: PlainError): Error {
  const error =
    type === "InputError" ? new InputError(code ?? "", message, remedy ?? "") : new CLASSES[type](message);
  if (stack !== undefined) error.stack = stack;
  if (type !== "InputError" && code !== undefined) Object.assign(error, { code });
  return error;
}
