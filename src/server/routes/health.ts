// GET /health: whether requests can be answered now. GET /health/live: whether the server itself answers.

import { z } from "zod";
import type { ServerApp } from "../app.ts";
import { answerJson } from "../call.ts";

const answers = z.object({
  status: z.enum(["ok", "starting", "draining"]),
  workers: z.int(),
  ready: z.int(),
  queued: z.int(),
});

export function addHealthRoutes(app: ServerApp): void {
  app.get(
    {
      path: "/health",
      summary: "Readiness",
      description: "503 while no process can compute, or while the server stops.",
      open: true,
      answers,
    },
    () => {
      const { draining, ready, workers, queued } = app.service.health();
      const status = draining ? "draining" : ready > 0 ? "ok" : "starting";
      return answerJson({ status, workers, ready, queued }, { status: status === "ok" ? 200 : 503 });
    },
  );
  app.get(
    { path: "/health/live", summary: "Liveness", open: true, answers: z.object({ status: z.literal("ok") }) },
    () => ({ status: "ok" }),
  );
}
