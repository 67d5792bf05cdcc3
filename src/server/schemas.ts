// Schemas that several routes share.

import { z } from "zod";
import { type Message, validateConversation, validateMessages } from "../chat/messages.ts";
import { InputError } from "../errors.ts";
import type { Steering, TraceUnit } from "../reward-model.ts";
import type { HttpError } from "./errors.ts";
import { type Limits, refuseMessages } from "./limits.ts";
import type { ScoringOptions } from "./service.ts";

const messageSchema = z.object({
  role: z.enum(["system", "developer", "user", "assistant", "tool", "function", "ipython"]),
  content: z.string(),
});

/** Messages as the documentation shows them; they are checked one by one, by `readConversation`. */
export const messagesSchema = z.unknown().meta({
  type: "array",
  items: { $ref: "#/components/schemas/Message" },
  description: "The prompt's messages, then the assistant's response.",
});

const byObjective = z.record(z.string(), z.number());

export const steeringSchema = z
  .strictObject({
    weights: byObjective.exactOptional(),
    scale: byObjective.exactOptional(),
    without: z.array(z.string()).exactOptional(),
  })
  .meta({
    description: "Another mixture than the model's own: weights, then factors, then what is left out.",
  });

/** `trace` and `steering`, as every route of ours takes them. */
export const scoringFields = {
  trace: z.enum(["token", "sentence"]).optional(),
  steering: steeringSchema.optional(),
};

interface ScoringFields {
  readonly trace?: TraceUnit | undefined;
  readonly steering?: Steering | undefined;
}

const runningScore = { score: z.number(), rewards: byObjective };
const traceSchema = z.object({
  unit: z.enum(["token", "sentence"]),
  start: z.object(runningScore),
  steps: z.array(z.object({ ...runningScore, text: z.string() })),
});

export const scoreSchema = z.object({
  index: z.int(),
  score: z.number(),
  rewards: byObjective,
  ratings: byObjective,
  adjustedRewards: byObjective,
  gatingOutput: byObjective,
  coefficients: byObjective,
  contributions: byObjective,
  shares: byObjective,
  tokens: z.int(),
  dtype: z.string(),
  model: z.string(),
  trace: traceSchema.optional(),
  unsteered: z.object({ score: z.number(), contributions: byObjective }).optional(),
});

export const explainedScoreSchema = scoreSchema.extend({
  explanation: z.string().meta({ description: "In words: what the score is made of." }),
});

export const errorSchema = z.object({
  error: z.object({ code: z.string(), message: z.string(), remedy: z.string() }),
});

/** By their names in `/openapi.json`. Schemas of one route alone are named by its path. */
export const NAMED_SCHEMAS: Readonly<Record<string, z.ZodType>> = {
  Message: messageSchema,
  Steering: steeringSchema,
  Trace: traceSchema,
  Score: scoreSchema,
  Error: errorSchema,
};

/** The options of a request as `score` takes them: without those that were not given. */
export function scoringOptions({
  trace,
  steering,
}: ScoringFields): Pick<ScoringOptions, "trace" | "steering"> {
  return { ...(trace === undefined ? {} : { trace }), ...(steering === undefined ? {} : { steering }) };
}

/** A conversation that may be scored, or what is wrong with it. @param what As the error should begin: `conversations[3]`. */
export const readConversation = (value: unknown, what: string, limits: Limits) =>
  readWithin(value, what, limits, validateConversation);

/** Messages of a prompt, or what is wrong with them. */
export const readMessages = (value: unknown, what: string, limits: Limits) =>
  readWithin(value, what, limits, validateMessages);

/** Counted before they are looked at. */
function readWithin(
  value: unknown,
  what: string,
  limits: Limits,
  validate: typeof validateMessages,
): Message[] | InputError | HttpError {
  const refusal = Array.isArray(value) ? refuseMessages(value.length, what, limits) : null;
  if (refusal !== null) return refusal;
  try {
    return validate(value, what);
  } catch (error) {
    if (error instanceof InputError) return error;
    throw error;
  }
}
