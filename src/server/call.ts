// One request from its arrival to its answer: id, signal, errors, log line, metrics.

import { randomUUID } from "node:crypto";
import type { Call, Logger } from "./app.ts";
import { ClientGone, type HttpError, toErrorBody, toHttpError } from "./errors.ts";
import type { ServerMetrics } from "./metrics.ts";

/** Ids from elsewhere are kept if they are harmless in headers and logs. */
const HARMLESS_ID = /^[\w.:/+=-]{1,128}$/;

/** Who learns of every answer. */
export interface Watchers {
  readonly log: Logger;
  readonly metrics: ServerMetrics;
}

/** Runs a handler and answers whatever becomes of it. @param route As metrics name it: few values, never what a client has written. */
export async function startCall(
  request: Request,
  route: string,
  { log, metrics }: Watchers,
  handle: (call: Call) => Response | Promise<Response>,
): Promise<Response> {
  const started = performance.now();
  const given = request.headers.get("x-request-id") ?? "";
  const requestId = HARMLESS_ID.test(given) ? given : randomUUID();
  const fields: Record<string, unknown> = {};
  const call: Call = {
    signal: goneSignal(request),
    requestId,
    note: (more) => void Object.assign(fields, more),
  };
  let response: Response;
  try {
    response = await handle(call);
  } catch (thrown) {
    const error = call.signal.aborted ? new ClientGone() : toHttpError(thrown);
    fields.error = error.code;
    if (error.status === 500) log.error({ requestId, err: thrown }, "fault of the server");
    response = answerError(error);
  }
  response.headers.set("x-request-id", requestId);
  response.headers.set("x-content-type-options", "nosniff");
  const seconds = (performance.now() - started) / 1000;
  metrics.answered(route, response.status, seconds);
  const line = { requestId, method: request.method, route, status: response.status, seconds, ...fields };
  if (response.status >= 500) log.warn(line, "answered");
  else log.info(line, "answered");
  return response;
}

/** One line of JSON. */
export function answerJson(value: unknown, init: ResponseInit = {}): Response {
  const headers = { ...(init.headers as Record<string, string>), "content-type": "application/json" };
  return new Response(`${JSON.stringify(value)}\n`, { ...init, headers });
}

const answerError = (error: HttpError): Response =>
  // 499 is for logs alone: nobody is there to read it.
  answerJson(toErrorBody(error), { status: error.status, headers: error.headers });

/** The request's signal, with a reason that is an error. */
function goneSignal({ signal }: Request): AbortSignal {
  const controller = new AbortController();
  const abort = () => controller.abort(new ClientGone());
  if (signal.aborted) abort();
  else signal.addEventListener("abort", abort, { once: true });
  return controller.signal;
}
