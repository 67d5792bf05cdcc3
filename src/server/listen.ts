// The listening socket: time limits for slow clients, errors below HTTP in the same JSON, and an orderly end.

import { createServer, type Server } from "node:http";
import type { Socket } from "node:net";
import { getRequestListener } from "@hono/node-server";
import { InputError } from "../errors.ts";
import { answerJson } from "./call.ts";
import { HttpError, toErrorBody } from "./errors.ts";

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

/** @throws {InputError} `address-in-use`, `bad-address` */
export async function listen(
  app: { readonly fetch: (request: Request) => Response | Promise<Response> },
  { host, port, timeouts = DEFAULT_TIMEOUTS }: ListenOptions,
): Promise<Server> {
  const listener = getRequestListener((request) => app.fetch(request), {
    overrideGlobalObjects: false,
    errorHandler: () => answerError(malformed()),
  });
  const server = createServer(
    {
      headersTimeout: timeouts.headersMs,
      requestTimeout: timeouts.requestMs,
      keepAliveTimeout: timeouts.keepAliveMs,
      connectionsCheckingInterval: Math.min(5000, timeouts.headersMs / 2),
    },
    (incoming, outgoing) => void listener(incoming, outgoing),
  );
  server.on("clientError", (error: NodeJS.ErrnoException, socket: Socket) => refuse(error, socket));
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => reject(whyNot(error, host, port)));
    server.listen(port, host, resolve);
  });
  return server;
}

/** Takes no new connections and ends each when its request is answered; resolves when all are gone. */
export async function stopListening(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  // A connection that was kept alive for a further request is closed as soon as it is idle.
  const sweep = setInterval(() => server.closeIdleConnections(), 20);
  await closed;
  clearInterval(sweep);
}

/** What never became a request is answered on the bare socket. */
function refuse({ code }: NodeJS.ErrnoException, socket: Socket): void {
  if (code === "ECONNRESET" || !socket.writable) {
    socket.destroy();
    return;
  }
  const error = errorOf(code);
  const body = `${JSON.stringify(toErrorBody(error))}\n`;
  const head = [
    `HTTP/1.1 ${error.status} ${error.status === 408 ? "Request Timeout" : "Bad Request"}`,
    "content-type: application/json",
    `content-length: ${Buffer.byteLength(body)}`,
    "connection: close",
  ];
  socket.end(`${head.join("\r\n")}\r\n\r\n${body}`);
}

function errorOf(code: string | undefined): HttpError {
  if (code === "ERR_HTTP_REQUEST_TIMEOUT") {
    const message = "request: expected it whole within the time limit, got a part of it";
    return new HttpError(408, "request-timeout", message, "send it faster, or in smaller parts");
  }
  if (code === "HPE_HEADER_OVERFLOW") {
    const message = "headers: expected at most 16 KiB, got more";
    return new HttpError(431, "headers-too-large", message, "send fewer or shorter headers");
  }
  return malformed();
}

const malformed = () =>
  new HttpError(
    400,
    "malformed-request",
    "request: expected HTTP/1.1, got something else",
    "send a valid request",
  );

const answerError = (error: HttpError): Response => answerJson(toErrorBody(error), { status: error.status });

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
