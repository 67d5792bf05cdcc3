// What the page asks the server, and what it makes of answers that are none.

import type { Message } from "../src/chat/messages.ts";
import type { Comparison, Score, TraceUnit } from "../src/reward-model.ts";
import { compareScores } from "../src/scoring/ranking.ts";
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

/** Ranks responses to a prompt. A single one has a score, and nothing to be compared with. */
export async function fetchComparison(
  prompt: readonly Message[],
  responses: readonly string[],
  trace: TraceUnit,
  options: CallOptions,
): Promise<Comparison> {
  if (responses.length > 1) return post<Comparison>("v1/compare", { prompt, responses, trace }, options);
  const messages = [...prompt, { role: "assistant", content: responses[0] }];
  const { explanation, ...score } = await post<ExplainedScore>("v1/score", { messages, trace }, options);
  return compareScores([score], null);
}

type ExplainedScore = Score & { readonly explanation: string };

function post<T>(path: string, fields: object, options: CallOptions): Promise<T> {
  const headers = { "content-type": "application/json" };
  return call<T>(path, { method: "POST", body: JSON.stringify(fields), headers }, options);
}

/** @throws {ServerFailure} Whatever goes wrong but the caller's own abort. */
async function call<T>(path: string, init: RequestInit, { key, signal }: CallOptions): Promise<T> {
  const headers = { ...init.headers, ...(key === null ? {} : { authorization: `Bearer ${key}` }) };
  let response: Response;
  let text: string;
  try {
    response = await fetch(path, { ...init, headers, ...(signal ? { signal } : {}) });
    // Connections break in the middle of an answer, too.
    text = await response.text();
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ServerFailure("The server does not answer", "start armorm serve again, then try again", null);
  }
  if (response.status === 401) throw wantOfKey(key);
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

const wantOfKey = (key: string | null): ServerFailure =>
  new ServerFailure(
    key === null ? "This server asks for an API key" : "The server does not take this key",
    "give the one that armorm serve was started with",
    401,
  );

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
  413: "shorten the texts, or compare fewer at once",
  429: "wait a moment, then try again",
  503: "wait until the server is ready, then try again",
};
