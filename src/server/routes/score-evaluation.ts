// POST /v1/score/evaluation: what LLaMA-Factory asks of a reward model of type api.

import { z } from "zod";
import type { ServerApp } from "../app.ts";
import { scoreWhole } from "../whole-batch.ts";

const body = z.looseObject({
  model: z.unknown().optional().meta({ description: "Not read: one model is served." }),
  messages: z
    .array(z.string())
    .meta({ description: "Conversations, each a text as decoded, special tokens kept." }),
});

const answers = z.object({
  id: z.string(),
  object: z.literal("score.evaluation"),
  model: z.string(),
  scores: z.array(z.number()),
});

export function addScoreEvaluationRoute(app: ServerApp): void {
  app.post(
    {
      path: "/v1/score/evaluation",
      summary: "Rewards for LLaMA-Factory",
      description: "In the order of the texts. One that cannot be scored fails the request with its place.",
      body,
      answers,
    },
    async ({ messages }, call) => {
      const items = messages.map((text) => () => ({ text }));
      const scores = await scoreWhole(app, items, "messages", call);
      return {
        id: `scoreeval-${call.requestId}`,
        object: "score.evaluation",
        model: app.service.model.model,
        scores: scores.map(({ score }) => score),
      };
    },
  );
}
