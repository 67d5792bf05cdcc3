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
  /** Failures since it last answered. */
  failures: number;
  /** Not to be asked before, on the clock of `performance.now()`. */
  restsUntil: number;
}

export class Endpoints {
  readonly all: readonly Endpoint[];
  readonly #inFlight: number;
  readonly #timing: RetryTiming;
  #waiting: (() => void)[] = [];

  constructor(urls: readonly string[], inFlight: number, timing: RetryTiming) {
    this.all = urls.map((url) => ({ url, active: 0, failures: 0, restsUntil: 0 }));
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

  /** Waits for an endpoint that has room, and counts a request for it. One that has failed gets a single request until it answers. */
  async take(signal: AbortSignal): Promise<Endpoint> {
    for (;;) {
      signal.throwIfAborted();
      const now = performance.now();
      const free = this.all.filter(
        ({ active, failures, restsUntil }) =>
          active < (failures > 0 ? 1 : this.#inFlight) && restsUntil <= now,
      );
      if (free.length > 0) {
        const chosen = free.reduce((best, one) => (load(one) < load(best) ? one : best));
        chosen.active += 1;
        return chosen;
      }
      const rests = this.all.map(({ restsUntil }) => restsUntil).filter((until) => until > now);
      await this.#change(rests.length > 0 ? Math.min(...rests) - now : null, signal);
    }
  }

  /** Counts a request as answered. */
  answered(endpoint: Endpoint): void {
    endpoint.active -= 1;
    endpoint.failures = 0;
    endpoint.restsUntil = 0;
    this.#wake();
  }

  /**
   * Counts a request as failed and lets the endpoint rest. Requests that were under way together fail together: only the first of
   * them makes the rest longer.
   */
  failed(endpoint: Endpoint, retryAfterMs: number | null): void {
    const { leastWaitMs, mostWaitMs } = this.#timing;
    const now = performance.now();
    endpoint.active -= 1;
    if (endpoint.restsUntil <= now) endpoint.failures += 1;
    const wait = Math.min(leastWaitMs * 2 ** (endpoint.failures - 1), mostWaitMs) * (1 - Math.random() / 2);
    endpoint.restsUntil = Math.max(endpoint.restsUntil, now + (retryAfterMs ?? wait));
    this.#wake();
  }

  /** Takes a request back that has neither been answered nor failed. */
  withdrawn(endpoint: Endpoint): void {
    endpoint.active -= 1;
    this.#wake();
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
