// POST /rerank and /v1/rerank: responses ranked by their scores, in the format of Cohere and Jina.

import { z } from "zod";
import type { Call, ServerApp } from "../app.ts";
import { requireItems, requireShared } from "../limits.ts";
import { readConversation } from "../schemas.ts";
import { scoreWhole } from "../whole-batch.ts";

const document = z.union([z.string(), z.looseObject({ text: z.string() })]);
const body = z.looseObject({
  model: z.string().nullish().meta({ description: "Not read: one model is served." }),
  query: z.string().meta({ description: "The prompt, a user's message." }),
  documents: z.array(document).meta({ description: "Responses to it." }),
  top_n: z.int().nullish().meta({ description: "The most results to give. Default, and below 1: all." }),
  return_documents: z.boolean().nullish().meta({ description: "Default true." }),
});

const answers = z.object({
  id: z.string(),
  model: z.string(),
  results: z.array(
    z.object({
      index: z.int(),
      document: z.object({ text: z.string() }).optional(),
      relevance_score: z.number(),
    }),
  ),
  usage: z.object({ prompt_tokens: z.int(), total_tokens: z.int() }),
});

export function addRerankRoutes(app: ServerApp): void {
  const rerank = async ({ query, documents, ...options }: z.output<typeof body>, call: Call) => {
    requireItems(documents.length, "documents", app.limits);
    requireShared(query, documents.length, app.limits);
    const texts = documents.map((each) => (typeof each === "string" ? each : each.text));
    const items = texts.map((content) => () => {
      const messages = [
        { role: "user", content: query },
        { role: "assistant", content },
      ];
      const conversation = readConversation(messages, "response", app.limits);
      if (conversation instanceof Error) throw conversation;
      return conversation;
    });
    const scores = await scoreWhole(app, items, "documents", call);
    const tokens = scores.reduce((sum, score) => sum + score.tokens, 0);
    const results = scores
      .map(({ score }, index) => ({
        index,
        ...(options.return_documents === false ? {} : { document: { text: texts[index]! } }),
        relevance_score: score,
      }))
      .sort((a, b) => b.relevance_score - a.relevance_score);
    const most = options.top_n ?? 0;
    return {
      id: `rerank-${call.requestId}`,
      model: app.service.model.model,
      results: most > 0 ? results.slice(0, most) : results,
      usage: { prompt_tokens: tokens, total_tokens: tokens },
    };
  };
  for (const path of ["/rerank", "/v1/rerank"] as const) {
    app.post(
      {
        path,
        summary: "Rank responses to a prompt, in the format of Cohere and Jina",
        description:
          "Best first; relevance_score is the score, a real number. A response that cannot be scored fails the request with its place.",
        body,
        answers,
      },
      rerank,
    );
  }
}
