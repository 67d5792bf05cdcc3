// JSON over HTTP to the endpoints of an engine: what fails in passing is sent again, elsewhere if there is an elsewhere.

import { type Dispatcher, EnvHttpProxyAgent, request } from "undici";
import { InputError } from "../../errors.ts";
import { VERSION } from "../../version.ts";
import { type Endpoint, Endpoints, type RetryTiming, type Setback, type Turn } from "./endpoints.ts";

/** The environment variable with the key that engines ask for. Sent as a bearer token, stored nowhere. */
export const KEY_VARIABLE = "ARMORM_REMOTE_KEY";

export interface TransportOptions {
  readonly inFlight: number;
  readonly timeoutS: number;
  readonly timing: RetryTiming;
  /** The command that starts an engine as it is needed here. */
  readonly serve: string;
  /** Default: of {@link KEY_VARIABLE}. */
  readonly key: string | undefined;
}

export interface Reply {
  readonly endpoint: string;
  readonly json: unknown;
}

const CONNECT_TIMEOUT_MS = 10_000;
const TRANSIENT_STATUS = [408, 425, 429, 500, 502, 503, 504];
/** Too many requests, or too many for now. */
const BUSY_STATUS = [429, 503];
/** Longer than this nobody waits for a command to go on. */
const MOST_RETRY_AFTER_MS = 300_000;
/** Of what an engine says when it refuses, in an error of one line. */
const MOST_CHARACTERS = 300;

/** The network or the engine failed in passing. */
class Failure extends Error implements Setback {
  readonly retryAfterMs: number | null;
  readonly busy: boolean;

  constructor(reason: string, { retryAfterMs, busy }: Setback = { retryAfterMs: null, busy: false }) {
    super(reason);
    this.retryAfterMs = retryAfterMs;
    this.busy = busy;
  }
}

export class Transport {
  readonly endpoints: Endpoints;
  readonly #agent: Dispatcher;
  readonly #timeoutMs: number;
  readonly #serve: string;
  readonly #headers: Readonly<Record<string, string>>;

  /** @throws {InputError} `bad-proxy`, `bad-token` */
  constructor(urls: readonly string[], { inFlight, timeoutS, timing, serve, key }: TransportOptions) {
    this.endpoints = new Endpoints(urls, inFlight, timing);
    this.#timeoutMs = timeoutS * 1000;
    this.#serve = serve;
    if (key !== undefined && !/^[\x21-\x7e]+$/.test(key)) {
      throw new InputError(
        "bad-token",
        `${KEY_VARIABLE}: expected a key of printable characters without blanks, got others`,
        "copy it again, or unset it for an engine without one",
      );
    }
    this.#headers = {
      "user-agent": `armorm/${VERSION}`,
      "content-type": "application/json",
      ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
    };
    this.#agent = createAgent(this.#timeoutMs);
  }

  /** Ends all connections. */
  close(): Promise<void> {
    return this.#agent.destroy();
  }

  /**
   * Sends a body (null: GET) to whichever endpoint is free, until one answers.
   *
   * @throws {InputError} `remote-unreachable` with the last failure when there have been too many, `remote-refused` for what the
   *   engine says no to. @throws The signal's reason.
   */
  async send(path: string, body: object | null, signal: AbortSignal): Promise<Reply> {
    const text = body === null ? null : JSON.stringify(body);
    for (let tries = 1; ; tries++) {
      const turn = await this.endpoints.take(signal);
      const outcome = await this.#attempt(turn, path, text, signal);
      if (!(outcome instanceof Failure)) return outcome;
      const { message, retryAfterMs } = outcome;
      if (tries >= this.endpoints.mostTries || (retryAfterMs ?? 0) > MOST_RETRY_AFTER_MS) {
        throw unreachable(turn.endpoint.url, path, message, tries);
      }
    }
  }

  /**
   * Sends a body to one endpoint, once.
   *
   * @returns What it answers, or what failed in passing. @throws {InputError} `remote-refused` @throws The signal's reason.
   */
  async ask(endpoint: Endpoint, path: string, body: object, signal: AbortSignal): Promise<Reply | Error> {
    return await this.#attempt(this.endpoints.begin(endpoint), path, JSON.stringify(body), signal);
  }

  /** One try at an endpoint that has been taken, and what it means for that endpoint. */
  async #attempt(
    turn: Turn,
    path: string,
    text: string | null,
    signal: AbortSignal,
  ): Promise<Reply | Failure> {
    try {
      const json = await this.#exchange(turn.endpoint, path, text, signal);
      this.endpoints.answered(turn);
      return { endpoint: turn.endpoint.url, json };
    } catch (error) {
      if (error instanceof Failure) {
        this.endpoints.failed(turn, error);
        return error;
      }
      this.endpoints.withdrawn(turn);
      throw error;
    }
  }

  /** One request and its answer. */
  async #exchange(
    { url }: Endpoint,
    path: string,
    body: string | null,
    signal: AbortSignal,
  ): Promise<unknown> {
    const limit = AbortSignal.timeout(this.#timeoutMs);
    let status = 0;
    let headers: Readonly<Record<string, string | string[] | undefined>> = {};
    let text: string;
    try {
      const answer = await request(`${url}${path}`, {
        dispatcher: this.#agent,
        method: body === null ? "GET" : "POST",
        headers: this.#headers,
        body,
        signal: AbortSignal.any([signal, limit]),
      });
      status = answer.statusCode;
      headers = answer.headers;
      text = await answer.body.text();
    } catch (error) {
      signal.throwIfAborted();
      if (limit.aborted) throw new Failure(`no answer in ${this.#timeoutMs / 1000} s`);
      throw new Failure(reasonOf(error));
    }
    const ok = status >= 200 && status < 300;
    if (!ok && !isTransient(status, text)) throw refused(`${url}${path}`, status, text, this.#serve);
    if (!ok) {
      const retryAfterMs = retryAfter(headers["retry-after"]);
      throw new Failure(`status ${status}${saying(text)}`, {
        retryAfterMs,
        busy: BUSY_STATUS.includes(status),
      });
    }
    try {
      return JSON.parse(text);
    } catch {
      throw new Failure("an answer that is no JSON");
    }
  }
}

function createAgent(timeoutMs: number): Dispatcher {
  try {
    return new EnvHttpProxyAgent({
      connect: { timeout: CONNECT_TIMEOUT_MS },
      headersTimeout: timeoutMs,
      bodyTimeout: timeoutMs,
      proxyTunnel: false,
    });
  } catch {
    // Addresses of proxies may hold passwords: they are not repeated.
    throw new InputError(
      "bad-proxy",
      "HTTP_PROXY, HTTPS_PROXY: expected the address of an http or https proxy, got something else",
      "write it as http://host:port, or unset it; NO_PROXY names hosts that need none",
    );
  }
}

/** llama-server answers 500 to requests that it can never fulfil. */
const isTransient = (status: number, text: string): boolean =>
  TRANSIENT_STATUS.includes(status) &&
  !(status === 500 && /too large to process|exceeds? the|maximum context length/i.test(text));

function refused(where: string, status: number, text: string, serve: string): InputError {
  const remedies: Readonly<Record<number, string>> = {
    401: `set ${KEY_VARIABLE} to the engine's key`,
    403: `set ${KEY_VARIABLE} to a key that may do this`,
  };
  const tooLong = /too large to process|context (?:size|length)|batch size/i.test(text);
  return new InputError(
    "remote-refused",
    `${where}: expected an answer, got status ${status}${saying(text)}`,
    remedies[status] ??
      (tooLong
        ? "give the engine a longer context (vLLM: --max-model-len; llama-server: --ctx-size, --batch-size and --ubatch-size), or use --max-tokens"
        : `check the address, and that the engine was started as in: ${serve}`),
  );
}

const unreachable = (url: string, path: string, reason: string, tries: number): InputError =>
  new InputError(
    "remote-unreachable",
    `${url}${path}: expected an answer, got ${reason}${tries > 1 ? ` (tried ${tries} times)` : ""}`,
    "check that the engine runs and can be reached from here (NO_PROXY, for hosts that need no proxy); the same command goes on where it stopped",
  );

/** `: what the engine says`, on one line. */
function saying(text: string): string {
  let message = text;
  try {
    const json = JSON.parse(text);
    message = json?.error?.message ?? json?.message ?? json?.detail ?? text;
  } catch {
    // A proxy's page, or nothing.
  }
  const line = String(typeof message === "string" ? message : JSON.stringify(message))
    .replace(/\s+/g, " ")
    .trim();
  if (line === "") return "";
  return `: ${line.length > MOST_CHARACTERS ? `${line.slice(0, MOST_CHARACTERS)}…` : line}`;
}

/** The system's error code, or the first line of a message. */
function reasonOf(error: unknown): string {
  const { code, errors, cause, message } = error as {
    code?: string;
    errors?: unknown[];
    cause?: unknown;
    message?: string;
  };
  if (code !== undefined && !code.startsWith("UND_ERR")) return code;
  if (errors?.[0] !== undefined) return reasonOf(errors[0]);
  if (cause !== undefined && cause !== null) return reasonOf(cause);
  return String(message ?? error).split("\n")[0]!;
}

/** Seconds, or a date. */
function retryAfter(value: string | string[] | undefined): number | null {
  if (typeof value !== "string") return null;
  const milliseconds = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return Number.isNaN(milliseconds) ? null : Math.max(0, milliseconds);
}
