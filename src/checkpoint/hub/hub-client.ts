// HTTP as the hub speaks it: redirects to other hosts without the token, proxies, timeouts, and tries that wait.

import { setTimeout as delay } from "node:timers/promises";
import { type Dispatcher, EnvHttpProxyAgent, request } from "undici";
import { InputError } from "../../errors.ts";
import { VERSION } from "../../version.ts";
import {
  badAnswer,
  type Headers,
  type HubRequest,
  NetworkFailure,
  refusal,
  unreachable,
} from "./hub-errors.ts";
import type { HubSettings } from "./hub-settings.ts";

export interface HubAnswer {
  readonly status: number;
  readonly headers: Headers;
  /** The body; a cut connection is a {@link NetworkFailure}. Must be read, or left by `break`. */
  readonly chunks: AsyncIterable<Buffer>;
}

export interface SendOptions {
  readonly method?: "GET" | "HEAD";
  /** Ask for the bytes from here on. */
  readonly from?: number;
  readonly signal?: AbortSignal | undefined;
}

const CONNECT_TIMEOUT_MS = 10_000;
const ANSWER_TIMEOUT_MS = 30_000;
const MOST_REDIRECTS = 10;
const TRANSIENT_STATUS = [408, 429, 500, 502, 503, 504];

/** A hub for one pull. Proxies are those of `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY`, in capitals or not. */
export class HubClient {
  readonly settings: HubSettings;
  readonly #agent: Dispatcher;
  readonly #origin: string;

  /** @throws {InputError} `bad-proxy` */
  constructor(settings: HubSettings) {
    this.settings = settings;
    this.#origin = new URL(settings.endpoint).origin;
    this.#agent = createAgent();
  }

  /** Ends all connections. */
  close(): Promise<void> {
    return this.#agent.destroy();
  }

  /**
   * Sends one request and follows redirects; the token goes to the endpoint's own origin only. A redirect of HEAD to another
   * host is the answer itself: its headers describe the file.
   *
   * @param path Below the endpoint.
   * @throws {NetworkFailure} @throws {InputError} See `refusal`; status 416 is an answer.
   */
  async send(path: string, wanted: HubRequest, options: SendOptions = {}): Promise<HubAnswer> {
    const { method = "GET", from = 0, signal } = options;
    let url = new URL(`${this.settings.endpoint}${path}`);
    for (let redirects = 0; redirects <= MOST_REDIRECTS; redirects++) {
      const headers: Record<string, string> = {
        "user-agent": `armorm/${VERSION}`,
        "accept-encoding": "identity",
        ...(from > 0 ? { range: `bytes=${from}-` } : {}),
      };
      const { token } = this.settings;
      if (token !== null && url.origin === this.#origin) headers.authorization = `Bearer ${token}`;
      const answer = await this.#request(url, method, headers, signal);
      const { status } = answer;
      const { location } = answer.headers;
      const redirected = status >= 300 && status < 400 && location !== undefined;
      if (!redirected) return await this.#accept(answer, wanted);
      if (!URL.canParse(location, url.href)) break;
      const next = new URL(location, url);
      if (method === "HEAD" && next.origin !== url.origin) return answer;
      if (!/^https?:$/.test(next.protocol)) break;
      await drop(answer);
      url = next;
    }
    throw badAnswer(this.settings, wanted, "an answer after a few redirects");
  }

  async #request(
    url: URL,
    method: "GET" | "HEAD",
    headers: Record<string, string>,
    signal: AbortSignal | undefined,
  ): Promise<HubAnswer> {
    try {
      const answer = await request(url, {
        dispatcher: this.#agent,
        method,
        headers,
        ...(signal ? { signal } : {}),
      });
      const flat = Object.entries(answer.headers).map(([name, value]) => [
        name,
        Array.isArray(value) ? value.join(", ") : value,
      ]);
      return {
        status: answer.statusCode,
        headers: Object.fromEntries(flat),
        chunks: guarded(answer.body, signal),
      };
    } catch (error) {
      signal?.throwIfAborted();
      throw new NetworkFailure(reasonOf(error), { connecting: isConnecting(error) });
    }
  }

  async #accept(answer: HubAnswer, wanted: HubRequest): Promise<HubAnswer> {
    const { status, headers } = answer;
    if ((status >= 200 && status < 300) || status === 416) return answer;
    await drop(answer);
    if (!TRANSIENT_STATUS.includes(status)) throw refusal(this.settings, wanted, status, headers);
    throw new NetworkFailure(`status ${status}`, { retryAfterMs: retryAfter(headers["retry-after"]) });
  }
}

function createAgent(): Dispatcher {
  try {
    return new EnvHttpProxyAgent({
      connect: { timeout: CONNECT_TIMEOUT_MS },
      headersTimeout: ANSWER_TIMEOUT_MS,
      bodyTimeout: ANSWER_TIMEOUT_MS,
      // Tunnels are for https: proxies commonly refuse them to other ports.
      proxyTunnel: false,
    });
  } catch {
    // Addresses of proxies may hold passwords: they are not repeated.
    throw new InputError(
      "bad-proxy",
      "HTTP_PROXY, HTTPS_PROXY: expected the address of an http or https proxy, got something else",
      "write it as http://host:port, or unset it",
    );
  }
}

const LEAST_WAIT_MS = 500;
const MOST_WAIT_MS = 8000;
/** Longer than this nobody waits for a command to go on. */
const MOST_RETRY_AFTER_MS = 300_000;
const TRIES = 5;

export interface RetryOptions {
  readonly signal?: AbortSignal | undefined;
  /** How far the work has come: a try that got further starts the count anew. */
  readonly progress?: () => number;
  /** Give up on a host that no connection can be made to. Default false. */
  readonly hasty?: boolean;
}

/**
 * Tries again after a {@link NetworkFailure}: five times without getting further, after 0.5, 1, 2, 4 seconds, or as long as
 * the hub asks in Retry-After.
 *
 * @throws {NetworkFailure} The last one.
 */
export async function withRetries<T>(work: () => Promise<T>, options: RetryOptions = {}): Promise<T> {
  const { signal, progress = () => 0, hasty = false } = options;
  for (let tries = 1; ; tries++) {
    const before = progress();
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof NetworkFailure)) throw error;
      if (progress() > before) tries = 1;
      const wait = error.retryAfterMs ?? Math.min(LEAST_WAIT_MS * 2 ** (tries - 1), MOST_WAIT_MS);
      if (tries >= TRIES || wait > MOST_RETRY_AFTER_MS || (hasty && error.connecting)) throw error;
      await delay(wait, undefined, signal ? { signal } : {}).catch((aborted) => {
        signal?.throwIfAborted();
        throw aborted;
      });
    }
  }
}

/** Turns a failure that outlasts every try into the error that users see. */
export async function orUnreachable<T>(client: HubClient, wanted: HubRequest, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw error instanceof NetworkFailure ? unreachable(client.settings, wanted, error) : error;
  }
}

/** Reads a small body as JSON. */
export async function readJson(
  client: HubClient,
  wanted: HubRequest,
  { chunks }: HubAnswer,
): Promise<unknown> {
  const parts: Buffer[] = [];
  for await (const chunk of chunks) parts.push(chunk);
  try {
    return JSON.parse(Buffer.concat(parts).toString("utf8"));
  } catch {
    throw badAnswer(client.settings, wanted, "JSON");
  }
}

async function* guarded(
  body: AsyncIterable<Buffer>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Buffer> {
  try {
    for await (const chunk of body) yield chunk;
  } catch (error) {
    signal?.throwIfAborted();
    throw new NetworkFailure(reasonOf(error));
  }
}

/** Lets go of a body that nobody reads. */
async function drop({ chunks }: HubAnswer): Promise<void> {
  for await (const _ of chunks) break;
}

const CONNECTING = /^(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|EHOSTUNREACH|ENETUNREACH|UND_ERR_CONNECT_TIMEOUT)$/;

function isConnecting(error: unknown): boolean {
  return CONNECTING.test(codeOf(error) ?? "");
}

/** The system's error code, or the first line of a message. */
function reasonOf(error: unknown): string {
  const code = codeOf(error);
  if (code !== undefined && !code.startsWith("UND_ERR")) return code;
  return String((error as Error)?.message ?? error).split("\n")[0]!;
}

/** Node tries several addresses of a host and reports their failures together. */
function codeOf(error: unknown): string | undefined {
  const { code, errors, cause } = error as { code?: string; errors?: unknown[]; cause?: unknown };
  return (
    code ?? (errors?.[0] === undefined ? undefined : codeOf(errors[0])) ?? (cause ? codeOf(cause) : undefined)
  );
}

/** Seconds, or a date. */
function retryAfter(value: string | undefined): number | null {
  if (value === undefined) return null;
  const milliseconds = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return Number.isNaN(milliseconds) ? null : Math.max(0, milliseconds);
}
