// GET /metrics, for Prometheus.

import type { ServerApp } from "../app.ts";

const TEXT = "text/plain; version=0.0.4; charset=utf-8";

export function addMetricsRoute(app: ServerApp): void {
  app.get({ path: "/metrics", summary: "Counts and times, for Prometheus", answers: TEXT }, () => {
    const text = app.metrics.render(app.service.health());
    return new Response(text, { headers: { "content-type": TEXT } });
  });
}
