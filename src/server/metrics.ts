// Counts and times in Prometheus' text format, version 0.0.4.

import { readFileSync } from "node:fs";
import type { ServiceHealth } from "./service.ts";

export interface ServerMetrics {
  /** A request to a route was answered. */
  answered(route: string, status: number, seconds: number): void;
  /** What was no request was refused: counted under the route `none`. */
  refused(status: number): void;
  /** A batch was computed. @param tokens Of its conversations. */
  computed(conversations: number, tokens: number, seconds: number): void;
  /** A process that computes died and is started again. */
  restarted(): void;
  /** Everything so far. */
  render(health: ServiceHealth): string;
}

const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 180];
const SIZES = [1, 2, 4, 8, 16, 32, 64, 128, 256];

export function createMetrics(): ServerMetrics {
  const requests = counter("armorm_http_requests_total", "Requests answered, by route and status.");
  const latencies = histogram("armorm_http_request_duration_seconds", "From arrival to answer.", SECONDS);
  const conversations = counter("armorm_conversations_total", "Conversations scored.");
  const tokens = counter("armorm_tokens_total", "Tokens of conversations scored.");
  const batches = histogram("armorm_batch_conversations", "Conversations computed together.", SIZES);
  const computing = histogram("armorm_batch_duration_seconds", "Time to compute a batch.", SECONDS);
  const restarts = counter("armorm_worker_restarts_total", "Processes that died and were started again.");
  // Present from the start, so that rates exist before the first event.
  for (const counted of [conversations, tokens, restarts]) counted.add({}, 0);
  return {
    answered(route, status, seconds) {
      requests.add({ route, status: String(status) });
      latencies.observe({ route }, seconds);
    },
    refused: (status) => requests.add({ route: "none", status: String(status) }),
    computed(count, tokenCount, seconds) {
      conversations.add({}, count);
      tokens.add({}, tokenCount);
      batches.observe({}, count);
      computing.observe({}, seconds);
    },
    restarted: () => restarts.add({}),
    render({ ready, workers, queued, draining, pids }) {
      const { rss } = process.memoryUsage();
      return [
        requests,
        latencies,
        conversations,
        tokens,
        batches,
        computing,
        restarts,
        gauge("armorm_queue_conversations", "Conversations that wait.", queued),
        gauge("armorm_workers", "Processes that compute.", workers),
        gauge("armorm_workers_ready", "Processes that can compute now.", ready),
        gauge("armorm_draining", "1 while the server stops.", draining ? 1 : 0),
        gauge(
          "armorm_workers_resident_memory_bytes",
          "Memory of the processes that compute, together.",
          memoryOf(pids),
        ),
        gauge("process_resident_memory_bytes", "Memory of the server's own process.", rss),
        gauge("process_uptime_seconds", "Since the server's own process began.", process.uptime()),
      ]
        .map((metric) => metric.render())
        .join("");
    },
  };
}

/** Resident bytes of processes, as Linux tells them; 0 elsewhere. Pages that several share count for each. */
function memoryOf(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => {
    try {
      const [, resident] = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "latin1")) ?? [];
      return sum + 1024 * Number(resident ?? 0);
    } catch {
      return sum; // it has just ended, or this is no Linux
    }
  }, 0);
}

type Labels = Readonly<Record<string, string>>;

interface Metric {
  render(): string;
}

const head = (name: string, help: string, type: string) => `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`;

/** `{a="1",b="2"}`, or nothing. */
function labelled(labels: Labels): string {
  const pairs = Object.entries(labels).map(([key, value]) => `${key}="${escapeLabel(value)}"`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

const escapeLabel = (value: string) =>
  value.replace(/\\/g, "\\\\").replace(/"/g, '\\"').replace(/\n/g, "\\n");

function counter(name: string, help: string): Metric & { add(labels: Labels, amount?: number): void } {
  const values = new Map<string, number>();
  return {
    add(labels, amount = 1) {
      const key = labelled(labels);
      values.set(key, (values.get(key) ?? 0) + amount);
    },
    render: () =>
      head(name, help, "counter") + [...values].map(([key, value]) => `${name}${key} ${value}\n`).join(""),
  };
}

function gauge(name: string, help: string, value: number): Metric {
  return { render: () => `${head(name, help, "gauge")}${name} ${value}\n` };
}

/** @param bounds Upper bounds of the buckets, ascending; a last one without bound is added. */
function histogram(
  name: string,
  help: string,
  bounds: readonly number[],
): Metric & { observe(labels: Labels, value: number): void } {
  const series = new Map<string, { labels: Labels; counts: number[]; sum: number; count: number }>();
  return {
    observe(labels, value) {
      const key = labelled(labels);
      const entry = series.get(key) ?? { labels, counts: bounds.map(() => 0), sum: 0, count: 0 };
      series.set(key, entry);
      for (const [i, bound] of bounds.entries()) if (value <= bound) entry.counts[i]! += 1;
      entry.sum += value;
      entry.count += 1;
    },
    render() {
      const lines = [...series.values()].flatMap(({ labels, counts, sum, count }) => [
        ...bounds.map(
          (bound, i) => `${name}_bucket${labelled({ ...labels, le: String(bound) })} ${counts[i]}\n`,
        ),
        `${name}_bucket${labelled({ ...labels, le: "+Inf" })} ${count}\n`,
        `${name}_sum${labelled(labels)} ${sum}\n`,
        `${name}_count${labelled(labels)} ${count}\n`,
      ]);
      return head(name, help, "histogram") + lines.join("");
    },
  };
}
