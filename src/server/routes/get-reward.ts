// POST /get_reward: what OpenRLHF asks of --remote_rm_url.

import { z } from "zod";
import type { ServerApp } from "../app.ts";
import { HttpError } from "../errors.ts";
import { scoreWhole } from "../whole-batch.ts";

const body = z.looseObject({
  query: z.array(z.string()).meta({ description: "Prompt and response as decoded, special tokens kept." }),
  prompts: z
    .array(z.string())
    .nullish()
    .meta({ description: "Each the beginning of its query; none, or one per query." }),
  labels: z.array(z.unknown()).nullish().meta({ description: "Not read." }),
});

const answers = z.object({
  rewards: z.array(z.number()),
  scores: z.array(z.number()),
  extra_logs: z
    .record(z.string(), z.array(z.number()))
    .meta({ description: "The reward of each objective, before its weight." }),
});

export function addGetRewardRoute(app: ServerApp): void {
  app.post(
    {
      path: "/get_reward",
      summary: "Rewards for OpenRLHF",
      description: "In the order of the queries. One that cannot be scored fails the request with its place.",
      body,
      answers,
    },
    async ({ query, prompts: given }, call) => {
      const prompts = given ?? [];
      if (prompts.length !== 0 && prompts.length !== query.length) {
        throw new HttpError(
          422,
          "invalid-request",
          `prompts: expected ${query.length}, one per query, got ${prompts.length}`,
          "send as many prompts as queries, or none",
        );
      }
      const items = query.map((text, index) => () => ({ text, prompt: prompts[index] }));
      const scores = await scoreWhole(app, items, "query", call);
      const rewards = scores.map(({ score }) => score);
      const logs = app.service.model.objectives.map(({ name }) => [
        name,
        scores.map((score) => score.rewards[name]!),
      ]);
      return { rewards, scores: rewards, extra_logs: Object.fromEntries(logs) };
    },
  );
}
