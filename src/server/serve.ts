// A reward model behind HTTP: opens it in processes of its own, listens, and stops in order.

import { readFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { InputError } from "../errors.ts";
import type { RewardModelOptions } from "../opening/open-reward-model.ts";
import type { Logger } from "./app.ts";
import type { BatchingOptions } from "./inference/batching-service.ts";
import type { MortalModel } from "./inference/worker.ts";
import { DEFAULT_LIMITS, type Limits } from "./limits.ts";
import type { Listening, ListenOptions } from "./listen.ts";
import type { ServedModel } from "./service.ts";

export interface ServeOptions
  extends Omit<RewardModelOptions, "isolate">,
    Partial<BatchingOptions>,
    Partial<Limits>,
    Partial<ListenOptions> {
  /** Keys that clients may send as `Authorization: Bearer KEY`. Default: none, for loopback addresses alone. */
  readonly apiKeys?: readonly string[];
  /** Let everybody call who reaches the address, by any name. Default false. */
  readonly allowAnonymous?: boolean;
  /** A pino logger, or one like it. Default: nothing is logged. */
  readonly log?: Logger;
  /** Write what clients send, messages included, to the log. Default false. */
  readonly logMessages?: boolean;
}

export interface RunningServer extends AsyncDisposable {
  /** `http://127.0.0.1:8000` */
  readonly url: string;
  readonly port: number;
  readonly model: ServedModel;
  /**
   * Accepts nothing more, finishes what has arrived, for at most `drainSeconds` (default 0), and ends the model's processes.
   * Requests that are not finished get 503 `shutting-down`; answers have a second to be written in any case; then every connection is cut.
   */
  close(drainSeconds?: number): Promise<void>;
}

/** What holds where `serve` is not told otherwise, and on the command line. */
export const SERVE_DEFAULTS = {
  host: "127.0.0.1",
  port: 8000,
  workers: 1,
  maxQueue: 1024,
  maxBatchTokens: 8192,
  maxWaitMs: 0,
  ...DEFAULT_LIMITS,
} as const satisfies ListenOptions & BatchingOptions & Limits;

/**
 * Serves a reward model over HTTP: `/v1/score`, `/v1/compare` and the other routes of docs/http-api.md.
 *
 * The model computes in child processes, which are started again when they die. What arrives while they compute is computed
 * together; a score has the same bits alone and together. One conversation that cannot be scored fails no other.
 *
 * @param location The model directory, or `org/name[@revision]` on the hub.
 * @param options.workers Processes, each with the model in its memory. Default 1: one uses all cores.
 * @param options.port 0 takes a free one. Default 8000.
 * @throws {InputError} `missing-api-key` for an address that others reach without `apiKeys` or `allowAnonymous`; `bad-api-key`;
 *   `bad-limits` where one request could not fit into the queue; `address-in-use`; `bad-address`; what `openRewardModel` refuses.
 *
 * @example
 * await using server = await serve("model", { port: 0 });
 * const response = await fetch(`${server.url}/health`);
 */
export async function serve(location: string, options: ServeOptions = {}): Promise<RunningServer> {
  const { createAccess, listen, requirePort, createApp, createMetrics, startBatching, pino } =
    await loadServer();
  const { apiKeys, allowAnonymous, log = pino({ level: "silent" }), logMessages, ...others } = options;
  const { host, port, timeouts, workers, maxQueue, maxBatchTokens, maxWaitMs, ...rest } = {
    ...SERVE_DEFAULTS,
    timeouts: undefined,
    ...others,
  };
  const { maxBodyBytes, maxItems, ...opening } = rest;
  const { maxMessages } = opening;
  const limits = { maxBodyBytes, maxItems, maxMessages };
  // Everything that can be refused without the model comes first: it may take minutes to load.
  const access = createAccess(host, apiKeys ?? [], allowAnonymous ?? false);
  requirePort(port);
  requireRoom(maxQueue, maxItems);
  const { first, about, reopen } = await openServed(location, shareThreads(opening, workers));
  const metrics = createMetrics();
  const batching = { workers, maxQueue, maxBatchTokens, maxWaitMs };
  const service = startBatching(first, reopen, about, batching, { log, metrics });
  let listening: Listening;
  try {
    const app = createApp(service, { limits, access, log, metrics, logMessages: logMessages ?? false });
    listening = await listen(app, { host, port, ...(timeouts ? { timeouts } : {}) }, { log, metrics });
  } catch (error) {
    await service.close();
    throw error;
  }
  const { address, port: bound } = listening;
  let closing: Promise<void> | undefined;
  const close = (drainSeconds = 0) => (closing ??= listening.stop(service.close(drainSeconds), drainSeconds));
  return {
    url: `http://${address.includes(":") ? `[${address}]` : address}:${bound}`,
    port: bound,
    model: about,
    close,
    [Symbol.asyncDispose]: () => close(),
  };
}

// Loaded when a server starts: whoever imports the library does not pay for it.
async function loadServer() {
  const [
    { createAccess },
    { listen, requirePort },
    { createApp },
    { createMetrics },
    { startBatching },
    { pino },
  ] = await Promise.all([
    import("./access.ts"),
    import("./listen.ts"),
    import("./app.ts"),
    import("./metrics.ts"),
    import("./inference/batching-service.ts"),
    import("pino"),
  ]);
  return { createAccess, listen, requirePort, createApp, createMetrics, startBatching, pino };
}

function requireRoom(maxQueue: number, maxItems: number): void {
  if (maxQueue >= maxItems) return;
  throw new InputError(
    "bad-limits",
    `serve: expected a queue of at least ${maxItems}, the items of one request, got ${maxQueue}`,
    "raise --max-queue or lower --max-items",
  );
}

/** The model in its first process, what is known of it, and how further processes get it. */
async function openServed(location: string, options: RewardModelOptions) {
  const [{ openModelDirectory }, { locateCheckpoint }, { openIsolatedModel }] = await Promise.all([
    import("../opening/open-model-directory.ts"),
    import("../checkpoint/location.ts"),
    import("../opening/isolated-model.ts"),
  ]);
  const [{ kind }, located] = await Promise.all([openModelDirectory(location), locateCheckpoint(location)]);
  const first = await openIsolatedModel(located, options);
  const { objectives, marginScale, transform, arithmetic } = first;
  const card = await readFile(join(located.directory, "README.md"), "utf8").catch(() => null);
  const about: ServedModel = {
    model: location,
    kind,
    objectives,
    marginScale,
    transform,
    ...arithmetic,
    card,
  };
  const { onQuantize: _, onNote: __, ...again } = options;
  const reopen = (signal: AbortSignal): Promise<MortalModel> =>
    openIsolatedModel(located, { ...again, signal });
  return { first, about, reopen };
}

/** Processes side by side share the cores, unless the caller says how. */
function shareThreads(options: RewardModelOptions, workers: number): RewardModelOptions {
  if (workers === 1 || options.threads !== undefined) return options;
  return { ...options, threads: Math.max(1, Math.floor(availableParallelism() / workers)) };
}
