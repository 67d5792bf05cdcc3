import type { Message } from "../chat/messages.ts";
import type { PreferencePair, RowError } from "../data/records.ts";
import { InputError } from "../errors.ts";
import type { RewardModel, Score } from "../reward-model.ts";
import type { PairResult, RejectedPair } from "./pair-scores.ts";

/** Pairs per call of the model. */
const BATCH = 32;

export interface ScorePairsOptions {
  /** Only the first records. */
  readonly limit?: number;
  /** Records at the beginning that an earlier run has scored: they are passed over. Default 0. */
  readonly done?: number;
  readonly skip?: (promptHash: string) => boolean;
  readonly signal?: AbortSignal;
}

/**
 * Scores pairs of text, many at a time: one result per record, in order. The responses of a pair share the prompt's
 * computation.
 */
export async function* scorePairs(
  model: RewardModel,
  records: AsyncIterable<PreferencePair | RowError>,
  { limit = Number.POSITIVE_INFINITY, done = 0, skip = () => false, signal }: ScorePairsOptions = {},
): AsyncGenerator<PairResult> {
  let batch: (PreferencePair | RowError)[] = [];
  let read = 0;
  for await (const record of records) {
    if (read++ >= limit) break;
    if (read <= done) continue;
    batch.push(record);
    if (batch.length < BATCH) continue;
    yield* scoreBatch(model, batch, skip, signal);
    batch = [];
  }
  yield* scoreBatch(model, batch, skip, signal);
}

async function* scoreBatch(
  model: RewardModel,
  batch: readonly (PreferencePair | RowError)[],
  skip: (promptHash: string) => boolean,
  signal: AbortSignal | undefined,
): AsyncGenerator<PairResult> {
  const pairs = batch
    .filter((record) => record.kind === "pair")
    .filter(({ promptHash }) => !skip(promptHash));
  const scores = await scoreTogether(model, pairs, signal);
  for (const record of batch) {
    if (record.kind === "error") {
      const { id, file: source, subset = null, line, error } = record;
      yield { id, source, subset, kind: "invalid", reason: `line ${line}: ${error}` };
      continue;
    }
    const result = scores.get(record);
    const { id, source, subset, promptHash, fields } = record;
    if (!result) yield { promptHash, skipped: true };
    else if ("reason" in result) yield { id, source, subset, ...result };
    else yield { id, source, subset, promptHash, ...(fields ? { fields } : {}), ...result };
  }
}

type Scored = { chosen: Score; rejected: Score } | Pick<RejectedPair, "kind" | "reason">;

async function scoreTogether(
  model: RewardModel,
  pairs: readonly PreferencePair[],
  signal: AbortSignal | undefined,
): Promise<Map<PreferencePair, Scored>> {
  const conversations = pairs.flatMap(({ prompt, chosen, rejected }) =>
    [chosen, rejected].map((content): Message[] => [...prompt, { role: "assistant", content }]),
  );
  try {
    const scores = await model.score(conversations, signal ? { signal } : {});
    return new Map(pairs.map((pair, i) => [pair, { chosen: scores[2 * i]!, rejected: scores[2 * i + 1]! }]));
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    // One pair that the model refuses must not take the others with it.
    if (pairs.length === 1) {
      const kind = error.code === "too-long" ? "too-long" : "invalid";
      return new Map([[pairs[0]!, { kind, reason: error.message }]]);
    }
    const results = new Map<PreferencePair, Scored>();
    for (const pair of pairs)
      for (const entry of await scoreTogether(model, [pair], signal)) results.set(...entry);
    return results;
  }
}
