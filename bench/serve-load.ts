// Clients that ask a server for scores, each waiting for its answer before it asks again.

import autocannon from "autocannon";
import { createRandom } from "../src/random.ts";

export const CLIENTS = 64;
const BODIES_PER_CLIENT = 64;

export interface Load {
  readonly requests: number;
  readonly perSecond: number;
  /** 99th percentile of the wait for an answer, in milliseconds. */
  readonly p99: number;
}

/** No two clients send the same conversation: what requests share would be computed once. @throws If a request fails. */
export async function loadServer(url: string, seconds: number): Promise<Load> {
  const bodies = scoreBodies(CLIENTS * BODIES_PER_CLIENT);
  let client = 0;
  const { requests, errors, non2xx, duration, latency } = await autocannon({
    url,
    connections: CLIENTS,
    duration: seconds,
    setupClient(each) {
      const own = bodies.slice(BODIES_PER_CLIENT * client, BODIES_PER_CLIENT * (client + 1));
      client = (client + 1) % CLIENTS;
      each.setRequests(
        own.map((body) => ({
          method: "POST",
          path: "/v1/score",
          headers: { "content-type": "application/json" },
          body,
        })),
      );
    },
  });
  if (errors + non2xx > 0) {
    throw new Error(
      `serve: expected every request to succeed, ${errors + non2xx} of ${requests.total} did not`,
    );
  }
  return { requests: requests.total, perSecond: requests.total / duration, p99: latency.p99 };
}

const WORDS =
  "a the of to and in is that it for as with was on are this by from prime number answer question because however seven eight safe true long short".split(
    " ",
  );

/** Bodies for `/v1/score`: one conversation each, of about 30 to 150 tokens. */
function scoreBodies(count: number): string[] {
  const random = createRandom(1, "conversations");
  const text = (words: number) => Array.from({ length: words }, () => random.pick(WORDS)).join(" ");
  return Array.from({ length: count }, () =>
    JSON.stringify({
      messages: [
        { role: "user", content: `${text(random.integer(8, 30))}?` },
        { role: "assistant", content: `${text(random.integer(10, 100))}.` },
      ],
    }),
  );
}
