// POST /slime and /slime/objectives: what slime asks of --rm-url.

import { z } from "zod";
import type { DecodedText } from "../../chat/messages.ts";
import type { Score } from "../../reward-model.ts";
import type { Call, ServerApp } from "../app.ts";
import { readMessages } from "../schemas.ts";
import { scoreWhole } from "../whole-batch.ts";

const body = z.looseObject({
  prompt: z.unknown().meta({
    description: "A text as the policy saw it, or messages.",
    anyOf: [{ type: "string" }, { type: "array", items: { $ref: "#/components/schemas/Message" } }],
  }),
  response: z.string().meta({ description: "As decoded, special tokens kept." }),
  label: z.unknown().optional().meta({ description: "Not read." }),
});

export function addSlimeRoutes(app: ServerApp): void {
  const scoreSample = async ({ prompt, response }: z.output<typeof body>, call: Call): Promise<Score> => {
    const read = (): DecodedText => {
      if (typeof prompt === "string") return { text: prompt + response, prompt };
      const messages = readMessages(prompt, "prompt", app.limits);
      if (messages instanceof Error) throw messages;
      return { prompt: messages, response };
    };
    const [score] = await scoreWhole(app, [read], "sample", call);
    return score!;
  };
  app.post(
    {
      path: "/slime",
      summary: "The reward of a sample for slime, a bare number",
      body,
      answers: z.number(),
    },
    async (sample, call) => (await scoreSample(sample, call)).score,
  );
  app.post(
    {
      path: "/slime/objectives",
      summary: "The reward of a sample for slime, with its objectives",
      description:
        "For --reward-key score, or --reward-key and the name of an objective. An objective named score is `objective:score`.",
      body,
      answers: z.object({ score: z.number() }).catchall(z.number()),
    },
    async (sample, call) => {
      const { score, rewards } = await scoreSample(sample, call);
      const named = Object.entries(rewards).map(([name, reward]) => [
        name === "score" ? "objective:score" : name,
        reward,
      ]);
      return { score, ...Object.fromEntries(named) };
    },
  );
}
