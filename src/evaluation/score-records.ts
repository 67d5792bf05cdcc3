// Records of text → scores, many at a time. The responses of a record share their prompt's computation.

import type { Message } from "../chat/messages.ts";
import { placeOf, type RowError } from "../data/records.ts";
import { InputError } from "../errors.ts";
import type { RewardModel, Score, ScoreOptions, Steering } from "../reward-model.ts";
import type { SkippedRow } from "../scoring/score-embeddings.ts";
import { resolveSteering } from "../scoring/steering.ts";
import type { RejectedRow, ScoredRow } from "./collect-rows.ts";

/** Conversations per call of the model, if a record does not hold more. */
const BATCH = 64;

export interface ScoreRecordsOptions {
  /** Only the first records. */
  readonly limit?: number;
  /** Records at the beginning that an earlier run has scored: they are passed over. Default 0. */
  readonly done?: number;
  readonly skip?: (promptHash: string) => boolean;
  readonly signal?: AbortSignal;
  /** Another mixture than the model's own. Default: none. */
  readonly steering?: Steering;
}

/** A prompt and the responses to it, as some benchmark has them. */
export interface ScorableRecord extends ScoredRow {
  readonly kind: string;
  readonly prompt: readonly Message[];
}

/** A record, and the scores of its responses in order. */
export interface ScoredRecord<Record extends ScorableRecord> {
  readonly record: Record;
  readonly scores: readonly Score[];
}

type Result<Record extends ScorableRecord> = ScoredRecord<Record> | RejectedRow | SkippedRow;

/** One result per record, in order. @param responsesOf The responses of a record, at least one. */
export async function* scoreRecords<Record extends ScorableRecord>(
  model: RewardModel,
  records: AsyncIterable<Record | RowError>,
  responsesOf: (record: Record) => readonly string[],
  options: ScoreRecordsOptions = {},
): AsyncGenerator<Result<Record>> {
  const { limit = Number.POSITIVE_INFINITY, done = 0, skip = () => false, signal, steering } = options;
  // Refused here: below, a refusal counts against its row.
  if (steering) resolveSteering(steering, model.objectives);
  const scoring = { ...(signal ? { signal } : {}), ...(steering ? { steering } : {}) };
  let batch: (Record | RowError)[] = [];
  let conversations = 0;
  let read = 0;
  const score = (wanted: readonly Record[]) => scoreTogether(model, wanted, responsesOf, scoring);
  for await (const record of records) {
    if (read++ >= limit) break;
    if (read <= done) continue;
    batch.push(record);
    if (!isError(record)) conversations += responsesOf(record).length;
    if (conversations < BATCH && batch.length < BATCH) continue;
    yield* scoreBatch(batch, skip, score);
    batch = [];
    conversations = 0;
  }
  yield* scoreBatch(batch, skip, score);
}

const isError = (record: ScorableRecord | RowError): record is RowError => record.kind === "error";

type Scored = readonly Score[] | Pick<RejectedRow, "kind" | "reason">;

async function* scoreBatch<Record extends ScorableRecord>(
  batch: readonly (Record | RowError)[],
  skip: (promptHash: string) => boolean,
  score: (records: readonly Record[]) => Promise<Map<Record, Scored>>,
): AsyncGenerator<Result<Record>> {
  const records = batch.filter((record): record is Record => !isError(record));
  const results = await score(records.filter(({ promptHash }) => !skip(promptHash)));
  for (const record of batch) {
    if (isError(record)) {
      const { id, file, source = file, subset = null, error } = record;
      yield { id, source, subset, kind: "invalid", reason: `${placeOf(record)}: ${error}` };
      continue;
    }
    const result = results.get(record);
    const { id, source, subset, promptHash } = record;
    if (!result) yield { promptHash, skipped: true };
    else if ("reason" in result) yield { id, source, subset, ...result };
    else yield { record, scores: result };
  }
}

async function scoreTogether<Record extends ScorableRecord>(
  model: RewardModel,
  records: readonly Record[],
  responsesOf: (record: Record) => readonly string[],
  scoring: ScoreOptions,
): Promise<Map<Record, Scored>> {
  const conversations = records.flatMap((record) =>
    responsesOf(record).map((content): Message[] => [...record.prompt, { role: "assistant", content }]),
  );
  try {
    const scores = await model.score(conversations, scoring);
    const results = new Map<Record, Scored>();
    let at = 0;
    for (const record of records) {
      const end = at + responsesOf(record).length;
      results.set(record, scores.slice(at, end));
      at = end;
    }
    return results;
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    // One record that the model refuses must not take the others with it.
    if (records.length === 1) {
      const kind = error.code === "too-long" ? "too-long" : "invalid";
      return new Map([[records[0]!, { kind, reason: error.message }]]);
    }
    const results = new Map<Record, Scored>();
    for (const record of records) {
      for (const entry of await scoreTogether(model, [record], responsesOf, scoring)) results.set(...entry);
    }
    return results;
  }
}
