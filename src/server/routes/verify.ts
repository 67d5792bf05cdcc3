// POST /verify: what NeMo-Gym asks of a resources server. Conversations are items of the Responses API.

import { z } from "zod";
import type { Message } from "../../chat/messages.ts";
import { InputError } from "../../errors.ts";
import type { ServerApp } from "../app.ts";
import { type Limits, refuseMessages } from "../limits.ts";
import { readConversation } from "../schemas.ts";
import { scoreWhole } from "../whole-batch.ts";

const body = z.looseObject({
  responses_create_params: z.looseObject({
    input: z.union([z.string(), z.array(z.unknown())]),
    instructions: z.string().nullish(),
  }),
  response: z.looseObject({ output: z.array(z.unknown()) }),
});

const answers = body.extend({
  reward: z.number(),
  reward_components: z
    .record(z.string(), z.number())
    .meta({ description: "The reward of each objective, before its weight." }),
});

export function addVerifyRoute(app: ServerApp): void {
  app.post(
    {
      path: "/verify",
      summary: "The reward of a rollout for NeMo-Gym",
      description:
        "What was sent, with its reward. The last message of the output is the response; reasoning is left out, tool calls are refused.",
      body,
      answers,
    },
    async (rollout, call) => {
      const read = () => {
        const conversation = readConversation(messagesOf(rollout, app.limits), "rollout", app.limits);
        if (conversation instanceof Error) throw conversation;
        return conversation;
      };
      const [score] = await scoreWhole(app, [read], "rollout", call);
      return { ...rollout, reward: score!.score, reward_components: score!.rewards };
    },
  );
}

function messagesOf(
  { responses_create_params: params, response }: z.output<typeof body>,
  limits: Limits,
): Message[] {
  const { input, instructions } = params;
  const items = (typeof input === "string" ? 1 : input.length) + response.output.length;
  const refusal = refuseMessages(items, "items", limits);
  if (refusal !== null) throw refusal;
  const system: Message[] = instructions ? [{ role: "system", content: instructions }] : [];
  const prompt = typeof input === "string" ? [{ role: "user", content: input }] : messagesIn(input, "input");
  return [...system, ...prompt, ...messagesIn(response.output, "output")];
}

const itemSchema = z.looseObject({
  type: z.string().default("message"),
  role: z.string().optional(),
  content: z.unknown().optional(),
});

/** The messages among items, in order. */
function messagesIn(items: readonly unknown[], what: string): Message[] {
  return items.flatMap((item, index) => {
    const place = `${what}[${index}]`;
    const { success, data } = itemSchema.safeParse(item);
    if (!success) throw badItem(place, "an item with a type", item);
    // What a model thinks is no part of what it says.
    if (data.type === "reasoning") return [];
    if (data.type !== "message") throw badItem(place, 'items of type "message" or "reasoning"', data.type);
    return [{ role: data.role ?? "assistant", content: textOf(data.content, place) }];
  });
}

/** A text, or parts that all are text. */
function textOf(content: unknown, place: string): string {
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) throw badItem(place, "content as text or parts of text", content);
  return content
    .map((part: unknown) => {
      const { type, text, refusal } = (part ?? {}) as Record<string, unknown>;
      const value = type === "refusal" ? refusal : text;
      if (typeof value === "string") return value;
      throw badItem(place, "parts with text", type ?? part);
    })
    .join("");
}

function badItem(place: string, expected: string, got: unknown): InputError {
  const shown = (JSON.stringify(got) ?? "nothing").slice(0, 100);
  return new InputError(
    "bad-messages",
    `${place}: expected ${expected}, got ${shown}`,
    "score rollouts of text alone: tool calls and images cannot be scored",
  );
}
