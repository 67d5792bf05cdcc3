// Which endpoint takes the next request: the least loaded of those that answer.

/** How failures are waited out. */
export interface RetryTiming {
  /** After the first failure; doubled with every further one, up to `mostWaitMs`, and shortened at random by up to a half. */
  readonly leastWaitMs: number;
  readonly mostWaitMs: number;
  /** Times that a request is sent to each endpoint, on average, until it has failed. */
  readonly tries: number;
}

/** About a minute, with one endpoint: as long as a small engine takes to start again. */
export const RETRY_TIMING: RetryTiming = { leastWaitMs: 500, mostWaitMs: 30_000, tries: 8 };

export interface Endpoint {
  readonly url: string;
  /** Requests under way. */
  active: number;
  /** Most requests under way at a time: as many as it is given, fewer once it has refused some of them as too many. */
  limit: number;
  /** Answers since `limit` was last changed. */
  answers: number;
  /** Failures since it last answered. */
  failures: number;
  /** Whether one of these failures said that it has too much to do; only answers to requests sent since take that back. */
  busy: boolean;
  /** Times that a failure made it rest. Failures of requests that were sent before the last of them are part of it. */
  setbacks: number;
  /** Requests under way that were sent after the last setback. */
  sinceSetback: number;
  /** Not to be asked before, on the clock of `performance.now()`. */
  restsUntil: number;
}

/** A request under way. */
export interface Turn {
  readonly endpoint: Endpoint;
  /** Setbacks of the endpoint when it was sent. */
  readonly setbacks: number;
}

/** What a failure says of the endpoint. */
export interface Setback {
  /** It asks to wait for so long. */
  readonly retryAfterMs: number | null;
  /** It refuses because it has too much to do. */
  readonly busy: boolean;
}

/** After so many answers an endpoint that was too busy is tried with one more request at a time. */
const ANSWERS_PER_STEP = 50;

export class Endpoints {
  readonly all: readonly Endpoint[];
  readonly #inFlight: number;
  readonly #timing: RetryTiming;
  #waiting: (() => void)[] = [];

  constructor(urls: readonly string[], inFlight: number, timing: RetryTiming) {
    this.all = urls.map((url) => {
      return {
        url,
        active: 0,
        limit: inFlight,
        answers: 0,
        failures: 0,
        busy: false,
        setbacks: 0,
        sinceSetback: 0,
        restsUntil: 0,
      };
    });
    this.#inFlight = inFlight;
    this.#timing = timing;
  }

  /** Failures after which a request has failed. */
  get mostTries(): number {
    return this.#timing.tries * this.all.length;
  }

  /** Requests that can be under way together. */
  get capacity(): number {
    return this.#inFlight * this.all.length;
  }

  /**
   * Waits for an endpoint that has room, and counts a request for it. One that has failed gets a single request until it answers,
   * beside those sent before: one of these that is never answered does not keep it waiting.
   */
  async take(signal: AbortSignal): Promise<Turn> {
    for (;;) {
      signal.throwIfAborted();
      const now = performance.now();
      const free = this.all.filter(
        ({ active, limit, failures, sinceSetback, restsUntil }) =>
          active < limit && (failures === 0 || sinceSetback === 0) && restsUntil <= now,
      );
      if (free.length > 0)
        return this.begin(free.reduce((best, one) => (load(one) < load(best) ? one : best)));
      const rests = this.all.map(({ restsUntil }) => restsUntil).filter((until) => until > now);
      await this.#change(rests.length > 0 ? Math.min(...rests) - now : null, signal);
    }
  }

  /** Counts a request for this endpoint, whatever it is at. */
  begin(endpoint: Endpoint): Turn {
    endpoint.active += 1;
    endpoint.sinceSetback += 1;
    return { endpoint, setbacks: endpoint.setbacks };
  }

  /**
   * Counts a request as answered, which never ends a rest. After the rest all go on, unless the endpoint was too busy: then a request
   * that was sent afterwards must be answered first.
   */
  answered(turn: Turn): void {
    const { endpoint } = turn;
    const isCurrent = this.#end(turn);
    if (isCurrent || !endpoint.busy) {
      endpoint.failures = 0;
      endpoint.busy = false;
    }
    if (isCurrent) {
      endpoint.answers += 1;
      if (endpoint.answers >= ANSWERS_PER_STEP && endpoint.limit < this.#inFlight) {
        endpoint.limit += 1;
        endpoint.answers = 0;
      }
    }
    this.#wake();
  }

  /**
   * Counts a request as failed and lets the endpoint rest, never for less than it asks. Requests that were under way together fail
   * together: only the first of them makes the rest longer, and halves how many an endpoint gets that is too busy. The single request
   * after that, refused beside others under way, says that it has room for one fewer.
   */
  failed(turn: Turn, { retryAfterMs, busy }: Setback): void {
    const { leastWaitMs, mostWaitMs } = this.#timing;
    const { endpoint } = turn;
    const { active } = endpoint;
    let wait = retryAfterMs ?? 0;
    if (this.#end(turn)) {
      endpoint.setbacks += 1;
      endpoint.sinceSetback = 0;
      endpoint.failures += 1;
      const backoff = Math.min(leastWaitMs * 2 ** (endpoint.failures - 1), mostWaitMs);
      wait = Math.max(wait, backoff * (1 - Math.random() / 2));
      if (busy && active > 1) {
        endpoint.limit = endpoint.busy ? active - 1 : Math.floor(active / 2);
        endpoint.answers = 0;
      }
    }
    endpoint.busy = endpoint.failures > 0 && (endpoint.busy || busy);
    endpoint.restsUntil = Math.max(endpoint.restsUntil, performance.now() + wait);
    this.#wake();
  }

  /** Takes a request back that has neither been answered nor failed. */
  withdrawn(turn: Turn): void {
    this.#end(turn);
    this.#wake();
  }

  /** Counts a request as no longer under way. @returns Whether it was sent after the last setback. */
  #end({ endpoint, setbacks }: Turn): boolean {
    const isCurrent = setbacks === endpoint.setbacks;
    endpoint.active -= 1;
    if (isCurrent) endpoint.sinceSetback -= 1;
    return isCurrent;
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }

  /** Resolves when an endpoint's load changes, after some time, or when the signal is aborted. */
  async #change(mostMs: number | null, signal: AbortSignal): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    let wake = () => {};
    await new Promise<void>((resolve) => {
      wake = resolve;
      this.#waiting.push(resolve);
      if (mostMs !== null) timer = setTimeout(resolve, Math.ceil(mostMs));
      signal.addEventListener("abort", wake, { once: true });
    });
    clearTimeout(timer);
    signal.removeEventListener("abort", wake);
  }
}

const load = ({ active, failures }: Endpoint): number => active + (failures > 0 ? 0.5 : 0);
