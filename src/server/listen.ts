// The listening socket: time limits for slow clients, and an end that no client holds up.

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { type AddressInfo, Server as NetServer, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { getRequestListener } from "@hono/node-server";
import { InputError } from "../errors.ts";
import type { Watchers } from "./call.ts";
import { answerMalformed, refuseBytes, refuseExpectation, refuseMissingHost } from "./refusals.ts";

export interface ListenOptions {
  /** Name or address. */
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly timeouts?: Timeouts | undefined;
}

/** In milliseconds. */
export interface Timeouts {
  /** For a request's headers to arrive. */
  readonly headersMs: number;
  /** For a whole request to arrive; what it takes to answer is not counted. */
  readonly requestMs: number;
  /** How long a connection without requests stays open. */
  readonly keepAliveMs: number;
}

const DEFAULT_TIMEOUTS: Timeouts = { headersMs: 10_000, requestMs: 60_000, keepAliveMs: 65_000 };

/** A socket that listens. */
export interface Listening {
  readonly address: string;
  readonly port: number;
  /**
   * Takes no new connections and ends each when its request is answered. Answers are written within `seconds`, and for one second after
   * `finished` in any case; then every connection is cut, whatever its client does.
   *
   * @param finished Resolves when no answer is to be expected any more.
   */
  stop(finished: Promise<void>, seconds: number): Promise<void>;
}

/** For answers of the last moment, when there is no time left. */
const WRITING_MS = 1000;

/** @throws {InputError} `bad-address` for a port that is none. */
export function requirePort(port: number): void {
  if (Number.isInteger(port) && port >= 0 && port <= 65_535) return;
  throw new InputError(
    "bad-address",
    `serve: expected a port from 0 to 65535, got ${port}`,
    "choose another --port, or 0 for a free one",
  );
}

/** @throws {InputError} `address-in-use`, `bad-address` */
export async function listen(
  app: { readonly fetch: (request: Request) => Response | Promise<Response> },
  { host, port, timeouts = DEFAULT_TIMEOUTS }: ListenOptions,
  watchers: Watchers,
): Promise<Listening> {
  const listener = getRequestListener((request) => app.fetch(request), {
    overrideGlobalObjects: false,
    errorHandler: () => answerMalformed(watchers),
  });
  const answering = new Set<ServerResponse>();
  const server = createServer(
    {
      headersTimeout: timeouts.headersMs,
      requestTimeout: timeouts.requestMs,
      keepAliveTimeout: timeouts.keepAliveMs,
      connectionsCheckingInterval: Math.min(5000, timeouts.headersMs / 2),
      // Node would answer without a body.
      requireHostHeader: false,
    },
    (incoming, outgoing) => {
      answering.add(outgoing);
      outgoing.once("close", () => answering.delete(outgoing));
      if (incoming.headers.host === undefined) refuseMissingHost(outgoing, watchers);
      else void listener(incoming, outgoing);
    },
  );
  server.on("checkExpectation", (incoming: IncomingMessage, outgoing: ServerResponse) =>
    refuseExpectation(incoming, outgoing, watchers),
  );
  server.on("clientError", (error: NodeJS.ErrnoException, socket: Socket) =>
    refuseBytes(error, socket, watchers),
  );
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => reject(whyNot(error, host, port)));
    server.listen(port, host, resolve);
  });
  const { address, port: bound } = server.address() as AddressInfo;
  return {
    address,
    port: bound,
    async stop(finished, seconds) {
      const until = performance.now() + 1000 * seconds;
      // What http adds to this cuts answers whose last bytes are not written yet, and looks for slow clients no more.
      const closed = new Promise<void>((resolve) => NetServer.prototype.close.call(server, () => resolve()));
      // A connection that was kept alive for a further request is closed as soon as it is idle.
      const sweep = setInterval(() => {
        if (![...answering].some((outgoing) => outgoing.writableEnded)) server.closeIdleConnections();
      }, 20);
      try {
        await finished;
        await written(answering, Math.max(until, performance.now() + WRITING_MS));
      } finally {
        // Those too that have sent nothing, or part of a request: Node counts them as busy.
        server.closeAllConnections();
        clearInterval(sweep);
        await closed;
        server.close();
      }
    },
  };
}

/** Waits for the answers to requests that have arrived whole. @param until On the clock of `performance.now`. */
async function written(answering: ReadonlySet<ServerResponse>, until: number): Promise<void> {
  const waits = () => [...answering].some(({ req }) => req.complete);
  while (waits() && performance.now() < until) await sleep(10);
}

function whyNot(error: NodeJS.ErrnoException, host: string, port: number): Error {
  const where = `serve: expected to listen on ${host}, port ${port}`;
  if (error.code === "EADDRINUSE") {
    return new InputError(
      "address-in-use",
      `${where}, got a port that is in use`,
      "choose another --port, or 0 for a free one",
    );
  }
  if (["EACCES", "EADDRNOTAVAIL", "ENOTFOUND", "EAI_AGAIN"].includes(error.code ?? "")) {
    return new InputError(
      "bad-address",
      `${where}, got ${error.code}`,
      "give an address of this machine, and a port that you may use",
    );
  }
  return error;
}
