// POST /classify: as vLLM serves reward models with one label.

import { z } from "zod";
import type { Scorable } from "../../chat/messages.ts";
import type { ServerApp } from "../app.ts";
import { HttpError } from "../errors.ts";
import { messagesSchema, readConversation } from "../schemas.ts";
import { scoreWhole } from "../whole-batch.ts";

/** Checked as one: a schema for each of a million ids takes a second. */
const ids = z
  .unknown()
  .check(({ value, issues }) => {
    const bad = Array.isArray(value) ? value.findIndex((id) => !(Number.isInteger(id) && id >= 0)) : -1;
    if (!Array.isArray(value) || value.length === 0)
      issues.push({ code: "custom", message: "Invalid input: expected array", input: value });
    else if (bad >= 0)
      issues.push({
        code: "custom",
        message: "Invalid id: expected token id",
        path: [bad],
        input: value[bad],
      });
  })
  .meta({ type: "array", items: { type: "integer", minimum: 0 }, minItems: 1 });
const body = z
  .looseObject({
    model: z.string().nullish().meta({ description: "Not read: one model is served." }),
    input: z
      .union([z.string(), ids, z.array(z.string()), z.array(ids)])
      .optional()
      .meta({ description: "Decoded texts or token ids, one conversation or many." }),
    messages: messagesSchema.optional(),
    use_activation: z
      .boolean()
      .nullish()
      .meta({ description: "A score has no activation: true is refused." }),
    activation: z.boolean().nullish(),
    softmax: z.boolean().nullish(),
  })
  .meta({ description: "Either input or messages." });

const answers = z.object({
  id: z.string(),
  object: z.literal("list"),
  created: z.int(),
  model: z.string(),
  data: z.array(
    z.object({ index: z.int(), label: z.string(), probs: z.array(z.number()), num_classes: z.int() }),
  ),
  usage: z.object({ prompt_tokens: z.int(), total_tokens: z.int(), completion_tokens: z.int() }),
});

export function addClassifyRoute(app: ServerApp): void {
  app.post(
    {
      path: "/classify",
      summary: "Scores in vLLM's format",
      description:
        "probs holds the score, a real number. One item that cannot be scored fails the request with its place.",
      body,
      answers,
    },
    async ({ input, messages, ...activations }, call) => {
      for (const name of ["use_activation", "activation", "softmax"] as const) {
        if (activations[name] !== true) continue;
        throw invalid(
          `${name}: expected false, got true`,
          "a score is no probability: send false, or leave it out",
        );
      }
      if ((input === undefined) === (messages === undefined)) {
        const got = input === undefined ? "neither" : "both";
        throw invalid(`body: expected input or messages, got ${got}`, "send one of them");
      }
      const items =
        messages === undefined ? inputItems(input as ClassifyInput) : [() => conversationOf(app, messages)];
      const scores = await scoreWhole(app, items, messages === undefined ? "input" : "messages", call);
      const tokens = scores.reduce((sum, score) => sum + score.tokens, 0);
      return {
        id: `classify-${call.requestId}`,
        object: "list",
        created: Math.floor(Date.now() / 1000),
        model: app.service.model.model,
        data: scores.map(({ score }, index) => ({ index, label: "LABEL_0", probs: [score], num_classes: 1 })),
        usage: { prompt_tokens: tokens, total_tokens: tokens, completion_tokens: 0 },
      };
    },
  );
}

type ClassifyInput = string | number[] | string[] | number[][];

function inputItems(input: ClassifyInput): (() => Scorable)[] {
  const many = typeof input === "string" || typeof input[0] === "number" ? [input] : input;
  return (many as (string | number[])[]).map(
    (item) => () => (typeof item === "string" ? { text: item } : { ids: item }),
  );
}

function conversationOf(app: ServerApp, messages: unknown): Scorable {
  const conversation = readConversation(messages, "conversation", app.limits);
  if (conversation instanceof Error) throw conversation;
  return conversation;
}

const invalid = (message: string, remedy: string): HttpError =>
  new HttpError(422, "invalid-request", message, remedy);
