// POST /v1/score: one conversation → its score; many → a score or an error for each.

import { z } from "zod";
import { explainedScore } from "../../scoring/explanation.ts";
import type { ServerApp } from "../app.ts";
import { HttpError, toErrorBody } from "../errors.ts";
import { finiteScore } from "../finite-score.ts";
import { requireItems, requireTraceable } from "../limits.ts";
import {
  errorSchema,
  explainedScoreSchema,
  messagesSchema,
  readConversation,
  scoringFields,
  scoringOptions,
} from "../schemas.ts";

const item = z.unknown().meta({
  description: "Messages, or an object with messages and an id, which is given back.",
  anyOf: [
    { type: "array", items: { $ref: "#/components/schemas/Message" } },
    {
      type: "object",
      properties: { id: {}, messages: { type: "array", items: { $ref: "#/components/schemas/Message" } } },
      required: ["messages"],
      additionalProperties: false,
    },
  ],
});

const body = z
  .strictObject({
    messages: messagesSchema.optional(),
    conversations: z.array(item).optional(),
    ...scoringFields,
  })
  .meta({ description: "Either messages, one conversation, or conversations, many." });

const id = { id: z.unknown().optional() };
const answers = z.union([
  explainedScoreSchema,
  z.array(z.union([explainedScoreSchema.extend(id), errorSchema.extend({ ...id, index: z.int() })])),
]);

export function addScoreRoute(app: ServerApp): void {
  app.post(
    {
      path: "/v1/score",
      summary: "Score conversations",
      description:
        "Of messages one score. Of conversations an array in their order, with an error in the place of each that cannot be scored.",
      body,
      answers,
    },
    async ({ messages, conversations, ...fields }, call) => {
      if ((messages === undefined) === (conversations === undefined)) {
        const got = messages === undefined ? "neither" : "both";
        throw new HttpError(
          422,
          "invalid-request",
          `body: expected messages or conversations, got ${got}`,
          "send messages for one conversation, conversations for many",
        );
      }
      const items = conversations ?? [messages];
      requireItems(items.length, "conversations", app.limits);
      const read = items.map((value, index) => {
        if (conversations === undefined)
          return { id: undefined, conversation: readConversation(value, "messages", app.limits) };
        const what = `conversations[${index}]`;
        const { id, messages, ...unknown } = partsOf(value);
        const refusal = refuseKeys(Object.keys(unknown), what);
        return { id, conversation: refusal ?? readConversation(messages, what, app.limits) };
      });
      const sound = read.flatMap(({ conversation }) => (Array.isArray(conversation) ? [conversation] : []));
      requireTraceable(sound, fields.trace, app.service.model);
      call.note({ items: items.length });
      const options = { ...scoringOptions(fields), signal: call.signal };
      const scored = sound.length === 0 ? [] : await app.service.score(sound, options);
      const next = scored.values();
      const results = read.map(({ id, conversation }, index) => {
        const result = Array.isArray(conversation) ? finiteScore(next.next().value!) : conversation;
        if (conversations === undefined && result instanceof Error) throw result;
        const named = id === undefined ? {} : { id };
        return result instanceof Error
          ? { ...named, index, ...toErrorBody(result) }
          : { ...named, ...explainedScore(result), index };
      });
      return conversations === undefined ? results[0] : results;
    },
  );
}

/** Messages, or `{ id, messages }`. Anything else is given on as it is: whoever checks messages says what is wrong. */
function partsOf(value: unknown): { readonly id?: unknown; readonly messages: unknown } {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return { messages: value };
  return value as { readonly messages: unknown };
}

/** Nothing is dropped silently: a trace, say, is asked for beside the conversations. */
function refuseKeys(unknown: readonly string[], what: string): HttpError | null {
  if (unknown.length === 0) return null;
  const got = unknown.map((key) => JSON.stringify(key)).join(", ");
  return new HttpError(
    422,
    "invalid-request",
    `${what}: expected id and messages, got ${got.slice(0, 200)}`,
    "what holds for all conversations, like trace, stands beside conversations",
  );
}
