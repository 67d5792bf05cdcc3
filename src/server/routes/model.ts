// GET /v1/model: which model is served, and how much of it may be asked at once.

import { z } from "zod";
import type { ServerApp } from "../app.ts";

const answers = z.object({
  model: z.string(),
  kind: z.string(),
  objectives: z.array(
    z.object({
      name: z.string(),
      source: z.string().optional(),
      scale: z.object({ multiply: z.number(), add: z.number() }).optional(),
    }),
  ),
  marginScale: z.number().nullable(),
  transform: z.array(z.number()).nullable(),
  dtype: z.string(),
  device: z.string(),
  maxTokens: z.int(),
  card: z.string().nullable(),
  limits: z.object({ maxBodyBytes: z.int(), maxItems: z.int(), maxMessages: z.int() }),
});

export function addModelRoute(app: ServerApp): void {
  app.get({ path: "/v1/model", summary: "The model that is served", answers }, () => ({
    ...app.service.model,
    limits: app.limits,
  }));
}
