// POST /v1/compare: responses to one prompt, ranked, and why.

import { z } from "zod";
import { validateMessages } from "../../chat/messages.ts";
import { explainedComparison } from "../../scoring/explanation.ts";
import { compareScores, rankingChange } from "../../scoring/ranking.ts";
import type { ServerApp } from "../app.ts";
import { HttpError } from "../errors.ts";
import { finiteScore } from "../finite-score.ts";
import { refuseMessages, requireItems, requireShared, requireTraceable } from "../limits.ts";
import { readMessages, scoreSchema, scoringFields, scoringOptions } from "../schemas.ts";

const body = z.strictObject({
  prompt: z.unknown().meta({
    description: "A text, which is a user's message, or messages.",
    anyOf: [{ type: "string" }, { type: "array", items: { $ref: "#/components/schemas/Message" } }],
  }),
  responses: z.array(z.string()),
  ...scoringFields,
});

const answers = z.object({
  prompt: z.array(z.unknown()).meta({ items: { $ref: "#/components/schemas/Message" } }),
  texts: z.array(z.string()),
  responses: z.array(scoreSchema),
  ranking: z.array(z.int()),
  pairs: z.array(
    z.object({
      better: z.int(),
      worse: z.int(),
      margin: z.number(),
      probability: z.number().nullable(),
      contributions: z.record(z.string(), z.number()),
      explanation: z.string().meta({ description: "In words: why the better one wins." }),
    }),
  ),
  unsteered: z.object({ ranking: z.array(z.int()) }).optional(),
  rankingChange: z
    .object({
      place: z.int(),
      now: z.int(),
      before: z.int(),
      moved: z.number(),
      contributions: z.record(z.string(), z.number()),
    })
    .nullish(),
});

export function addCompareRoute(app: ServerApp): void {
  app.post(
    {
      path: "/v1/compare",
      summary: "Rank responses to one prompt",
      description:
        "Best first, with the margin of each neighbouring two, and of the best against the worst, split by objective.",
      body,
      answers,
    },
    async ({ prompt: given, responses, ...fields }, call) => {
      if (responses.length < 2) {
        throw new HttpError(
          422,
          "invalid-request",
          `responses: expected at least two, got ${responses.length}`,
          "send another response, or one conversation to /v1/score",
        );
      }
      requireItems(responses.length, "responses", app.limits);
      const prompt =
        typeof given === "string"
          ? [{ role: "user", content: given }]
          : readMessages(given, "prompt", app.limits);
      if (prompt instanceof Error) throw prompt;
      const texts = prompt.map(({ content }) => content);
      requireShared(texts.join(""), responses.length, app.limits);
      const refusal = refuseMessages(prompt.length + 1, "prompt and response", app.limits);
      if (refusal !== null) throw refusal;
      const conversations = responses.map((content, index) => [
        ...prompt,
        ...validateMessages([{ role: "assistant", content }], `responses[${index}]`),
      ]);
      requireTraceable(conversations, fields.trace, app.service.model);
      call.note({ items: responses.length });
      const options = { ...scoringOptions(fields), signal: call.signal };
      const scored = await app.service.score(conversations, options);
      const scores = scored.map((given) => {
        const result = finiteScore(given);
        if (result instanceof Error) throw result;
        return result;
      });
      const comparison = explainedComparison(compareScores(scores, app.service.model.marginScale));
      const change = fields.steering === undefined ? {} : { rankingChange: rankingChange(scores) };
      return { prompt, texts: responses, ...comparison, ...change };
    },
  );
}
