// What a caller is told when a request fails: one line of JSON with a stable code.

import { InputError } from "../errors.ts";

/** The body of every answer whose status is 400 or above. */
export interface ErrorBody {
  readonly error: {
    /** Stable, kebab-case, for programs. */
    readonly code: string;
    /** `what: expected, got` */
    readonly message: string;
    /** What to do about it. */
    readonly remedy: string;
  };
}

/** A request that ends with a status of its own. */
export class HttpError extends Error {
  override readonly name = "HttpError";
  readonly status: number;
  readonly code: string;
  readonly remedy: string;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    status: number,
    code: string,
    message: string,
    remedy: string,
    headers: Readonly<Record<string, string>> = {},
  ) {
    super(message);
    this.status = status;
    this.code = code;
    this.remedy = remedy;
    this.headers = headers;
  }
}

/** The client went away before its answer was ready: nobody reads this, but logs and metrics count it under 499. */
export class ClientGone extends HttpError {
  constructor() {
    super(
      499,
      "client-gone",
      "request: expected a client that waits, got a closed connection",
      "wait longer",
    );
  }
}

/** More is waiting than the queue holds. @param retrySeconds When it should have room again, at least 1. */
export class QueueFull extends HttpError {
  constructor(message: string, retrySeconds: number) {
    const seconds = Math.max(1, Math.ceil(retrySeconds));
    super(429, "queue-full", message, `send it again in ${seconds} s, or fewer conversations at once`, {
      "retry-after": String(seconds),
    });
  }
}

/** Nothing can compute it now, through no fault of the request. */
export class Unavailable extends HttpError {
  constructor(
    code: "model-unavailable" | "model-crashed" | "shutting-down",
    message: string,
    retrySeconds = 5,
  ) {
    super(503, code, message, `send it again in ${retrySeconds} s`, { "retry-after": String(retrySeconds) });
  }
}

/** The status of a thrown value and what its caller may know of it. Faults of the server keep their details to its log. */
export function toHttpError(error: unknown): HttpError {
  if (error instanceof HttpError) return error;
  if (error instanceof InputError)
    return new HttpError(statusOf(error), error.code, error.message, error.remedy);
  return new HttpError(
    500,
    "internal",
    "server: expected an answer, got a fault of its own",
    "the server's log has the details under this request's x-request-id",
  );
}

/** Most of what the library refuses is the caller's to mend; an engine elsewhere, this machine and the model's files are not. */
const statusOf = ({ code }: InputError): number =>
  code.startsWith("remote-") ? 502 : (STATUSES[code] ?? 422);

/** A tokenizer is opened with the first conversation: what is wrong with its files then is no fault of who sent it. */
const STATUSES: Readonly<Record<string, number>> = {
  "too-many-messages": 413,
  "not-finite": 500,
  "missing-tokenizer": 500,
  "bad-tokenizer": 500,
  "missing-chat-template": 500,
  "missing-bos": 500,
  "malformed-json": 500,
  "wrong-backbone": 500,
  "vocabulary-too-large": 500,
  "out-of-memory": 503,
};

/** What one item of many is given in place of its result. */
export function toErrorBody({ code, message, remedy }: HttpError | InputError): ErrorBody {
  return { error: { code, message, remedy } };
}
