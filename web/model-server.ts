// What the page asks the server, and what it makes of answers that are none.

import type { Message } from "../src/chat/messages.ts";
import type { Comparison, TraceUnit } from "../src/reward-model.ts";
import type { ServedModel } from "../src/server/service.ts";

/** An answer that is none: one line, and what to do about it. */
export class ServerFailure extends Error {
  override readonly name = "ServerFailure";
  readonly remedy: string;
  /** The HTTP status, or null where there was no answer at all. */
  readonly status: number | null;

  constructor(message: string, remedy: string, status: number | null) {
    super(message);
    this.remedy = remedy;
    this.status = status;
  }
}

export interface CallOptions {
  readonly key: string | null;
  readonly signal?: AbortSignal;
}

export const fetchModel = (options: CallOptions): Promise<ServedModel> =>
  call<ServedModel>("v1/model", {}, options);

export const fetchComparison = (
  prompt: readonly Message[],
  responses: readonly string[],
  trace: TraceUnit,
  options: CallOptions,
): Promise<Comparison> => {
  const body = JSON.stringify({ prompt, responses, trace });
  const headers = { "content-type": "application/json" };
  return call<Comparison>("v1/compare", { method: "POST", body, headers }, options);
};

/** @throws {ServerFailure} Whatever goes wrong but the caller's own abort. */
async function call<T>(path: string, init: RequestInit, { key, signal }: CallOptions): Promise<T> {
  const headers = { ...init.headers, ...(key === null ? {} : { authorization: `Bearer ${key}` }) };
  let response: Response;
  try {
    response = await fetch(path, { ...init, headers, ...(signal ? { signal } : {}) });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ServerFailure("The server does not answer", "start armorm serve again, then try again", null);
  }
  const text = await response.text();
  if (!response.ok) throw failureOf(response.status, text);
  try {
    return JSON.parse(text) as T;
  } catch {
    throw new ServerFailure(
      `${path} did not answer with JSON`,
      "something else listens on this port",
      response.status,
    );
  }
}

function failureOf(status: number, text: string): ServerFailure {
  let body: unknown = null;
  try {
    body = JSON.parse(text);
  } catch {
    // Proxies answer with pages of their own.
  }
  const { error } = (typeof body === "object" && body !== null ? body : {}) as { error?: unknown };
  const { message, remedy } = (typeof error === "object" && error !== null ? error : { message: error }) as {
    message?: unknown;
    remedy?: unknown;
  };
  return new ServerFailure(
    typeof message === "string" ? message : `The server answered ${status}`,
    typeof remedy === "string" ? remedy : (REMEDIES[status] ?? "look into the server's log"),
    status,
  );
}

const REMEDIES: Readonly<Record<number, string>> = {
  401: "give the key that armorm serve was started with",
  413: "shorten the texts, or compare fewer at once",
  429: "wait a moment, then try again",
  503: "wait until the server is ready, then try again",
};
