// What a program and the process that holds its model say to each other. No message is big: building or reading one
// blocks both sides, so arguments and scores travel in chunks.

import type { Message } from "../chat/messages.ts";
import { InputError } from "../errors.ts";
import type { Comparison, RewardModel, Score, ScoreOptions } from "../reward-model.ts";
import type { LocalModelOptions } from "../scoring/local-model.ts";

/** A method of the model. Its list (conversations, token ids, responses) comes before, in `items`. */
export type Task =
  | { readonly method: "open"; readonly location: string; readonly options: PlainModelOptions }
  | { readonly method: "score" | "scoreTokens"; readonly options: PlainScoreOptions }
  | { readonly method: "compare"; readonly prompt: readonly Message[]; readonly options: PlainScoreOptions };

/** Options without what does not pass between processes. */
export type PlainModelOptions = Omit<LocalModelOptions, "onQuantize" | "onNote" | "signal">;
export type PlainScoreOptions = Omit<ScoreOptions, "signal" | "onProgress">;

/** To the model. Calls have numbers and may overlap. */
export type Request = { readonly call: number } & (
  | { readonly kind: "items"; readonly items: readonly unknown[] }
  | { readonly kind: "run"; readonly task: Task }
  /** The scores have arrived. */
  | { readonly kind: "next" }
  | { readonly kind: "abort" }
);

/** From the model: any number of `progress`, `note` and `scores`, then `done` or `failed`. */
export type Reply = { readonly call: number } /** In tokens; of an `open` in bytes that are quantized. */ & (
  | { readonly kind: "progress"; readonly done: number; readonly total: number }
  | { readonly kind: "note"; readonly line: string }
  | { readonly kind: "scores"; readonly scores: readonly Score[] }
  | { readonly kind: "done"; readonly value: unknown }
  | { readonly kind: "failed"; readonly error: PlainError }
);

/** What `open` is done with. */
export interface OpenedModel extends Pick<RewardModel, "objectives" | "marginScale" | "transform"> {
  /** Whether the model directory holds the prompts of its training. */
  readonly knowsPrompts: boolean;
}

/** What `compare` is done with; its scores have gone ahead. */
export type Ranked = Omit<Comparison, "responses">;

const CHUNK_SIZE = 1 << 16;

/** The items in order, in chunks of about 64 K characters or numbers, at least one item each. */
export function* chunksOf(items: Iterable<unknown>): Generator<unknown[]> {
  let chunk: unknown[] = [];
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
  return Object.values(value).reduce((sum: number, part) => sum + sizeOf(part), 1);
}

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
