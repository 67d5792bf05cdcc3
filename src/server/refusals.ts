// What was refused before it was a request: answered in the same JSON as every error, logged, and counted under the route `none`.

import { type IncomingMessage, type ServerResponse, STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import { answerJson, type Watchers } from "./call.ts";
import { HttpError, toErrorBody } from "./errors.ts";

/** Headers of which no `Request` can be made. */
export function answerMalformed(watchers: Watchers): Response {
  const error = malformed();
  note(error, watchers);
  return answerJson(toErrorBody(error), { status: error.status });
}

export function refuseMissingHost(outgoing: ServerResponse, watchers: Watchers): void {
  const what = "headers: expected a Host, got none";
  const remedy = "send the name and port that the server is called by, as in Host: localhost:8000";
  refuseHeaders(new HttpError(400, "malformed-request", what, remedy), outgoing, watchers);
}

/** Refuses an `Expect` other than `100-continue`. */
export function refuseExpectation(
  { headers }: IncomingMessage,
  outgoing: ServerResponse,
  watchers: Watchers,
): void {
  const got = JSON.stringify((headers.expect ?? "").slice(0, 100));
  const what = `expect: expected 100-continue or no such header, got ${got}`;
  refuseHeaders(new HttpError(417, "unknown-expectation", what, "leave Expect out"), outgoing, watchers);
}

/** Answers on the bare socket what is no HTTP, or came too slowly. */
export function refuseBytes({ code }: NodeJS.ErrnoException, socket: Socket, watchers: Watchers): void {
  if (code === "ECONNRESET" || !socket.writable) {
    socket.destroy();
    return;
  }
  const error = errorOf(code);
  note(error, watchers);
  const body = bodyOf(error);
  const head = [
    `HTTP/1.1 ${error.status} ${STATUS_CODES[error.status]}`,
    "content-type: application/json",
    `content-length: ${Buffer.byteLength(body)}`,
    "connection: close",
  ];
  socket.end(`${head.join("\r\n")}\r\n\r\n${body}`);
}

function refuseHeaders(error: HttpError, outgoing: ServerResponse, watchers: Watchers): void {
  note(error, watchers);
  outgoing.writeHead(error.status, { "content-type": "application/json", connection: "close" });
  outgoing.end(bodyOf(error));
}

/** It has no id and no route, and took no time that would tell anything. */
function note({ status, code }: HttpError, { log, metrics }: Watchers): void {
  metrics.refused(status);
  log.info({ status, error: code }, "refused");
}

const bodyOf = (error: HttpError): string => `${JSON.stringify(toErrorBody(error))}\n`;

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
