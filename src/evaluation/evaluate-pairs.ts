import { type CalibrationBin, calibrationBins } from "../armo/calibration.ts";
import { createGateMeans, type GateMeans } from "../armo/gate-means.ts";
import type { Message } from "../chat/messages.ts";
import { type PreferencePair, placeOf, type RowError } from "../data/records.ts";
import { InputError } from "../errors.ts";
import type { RewardModel, Score } from "../reward-model.ts";
import { type PairReport, reportPairs, type ScoredPair } from "./pairs.ts";

export interface EvaluatePairsOptions {
  /** Leave out pairs whose prompt the model was trained on. Default false: they are counted. */
  readonly dropOverlaps?: boolean;
  /** β of the model, for the calibration of σ(β · margin). Default null: no calibration. */
  readonly marginScale?: number | null;
  readonly signal?: AbortSignal;
  /** Called with the number of pairs scored so far. */
  readonly onProgress?: (pairs: number) => void;
}

/** A pair that was not scored, and why. */
export interface RejectedPair {
  readonly id: string | number | null;
  readonly source: string;
  readonly kind: "invalid" | "too-long";
  readonly reason: string;
}

/** Pair accuracy, with what was left out of it. */
export interface PairEvaluation extends PairReport {
  /** Pairs whose prompt training saw: found, and left out of the accuracies. Null if the model does not say. */
  readonly overlaps: { readonly found: number; readonly dropped: number } | null;
  readonly rejected: readonly RejectedPair[];
  /** Mean gating output by subset. */
  readonly gating: GateMeans;
  /** Of σ(β · margin); null without a margin scale. */
  readonly calibration: readonly CalibrationBin[] | null;
}

type ResponseScore = Pick<Score, "score" | "rewards" | "adjustedRewards" | "gatingOutput" | "tokens">;

/** One pair's scores, from text or from embeddings. */
export interface PairScores {
  readonly id: string | number | null;
  readonly subset: string;
  readonly promptHash: string;
  readonly chosen: ResponseScore;
  readonly rejected: ResponseScore;
}

/** A pair that was left out before anything was computed for it. */
export interface SkippedPair {
  readonly promptHash: string;
  readonly skipped: true;
}

/** Scores pairs in order, but not those whose prompt is to be skipped. */
export type PairScorer = (
  skip: (promptHash: string) => boolean,
) => AsyncIterable<PairScores | RejectedPair | SkippedPair>;

/**
 * Accuracy of a model on preference pairs.
 *
 * @param score The pairs: `scorePairs` for text, or a model's heads over embeddings.
 * @param trainedOn The model's `trainedOn`.
 */
export async function evaluatePairs(
  score: PairScorer,
  trainedOn: RewardModel["trainedOn"],
  { dropOverlaps = false, marginScale = null, signal, onProgress }: EvaluatePairsOptions = {},
): Promise<PairEvaluation> {
  const pairs: ScoredPair[] = [];
  const rejected: RejectedPair[] = [];
  const gating = createGateMeans();
  const overlaps = { found: 0, dropped: 0 };
  let rows = 0;
  const skip = (promptHash: string) => dropOverlaps && (trainedOn?.(promptHash) ?? false);
  for await (const row of score(skip)) {
    signal?.throwIfAborted();
    rows++;
    if ("reason" in row) rejected.push(row);
    else {
      if (trainedOn?.(row.promptHash)) overlaps.found++;
      if ("skipped" in row) overlaps.dropped++;
      else if (!Number.isFinite(row.chosen.score) || !Number.isFinite(row.rejected.score)) {
        const { id, subset } = row;
        rejected.push({
          id,
          source: subset,
          kind: "invalid",
          reason: "the score is not a finite number: embed the pair again",
        });
      } else {
        pairs.push(toScoredPair(row));
        // Both responses answer one prompt, and share its gating output.
        gating.add(row.subset, row.chosen.gatingOutput);
      }
    }
    onProgress?.(rows);
  }
  if (pairs.length === 0) {
    throw new InputError(
      "no-pairs",
      `evaluate: expected pairs to score, got none of ${rows} (${rejected.length} rejected, ${overlaps.dropped} overlaps)`,
      "give pairs that fit the model and that it was not trained on",
    );
  }
  const margins = pairs.map(({ margin }) => margin);
  return {
    ...reportPairs(pairs),
    overlaps: trainedOn ? overlaps : null,
    rejected,
    gating: gating.means(),
    calibration: marginScale === null ? null : calibrationBins(margins, marginScale),
  };
}

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
): AsyncGenerator<PairScores | RejectedPair | SkippedPair> {
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
): AsyncGenerator<PairScores | RejectedPair | SkippedPair> {
  const pairs = batch
    .filter((record) => record.kind === "pair")
    .filter(({ promptHash }) => !skip(promptHash));
  const scores = await scoreTogether(model, pairs, signal);
  for (const record of batch) {
    if (record.kind === "error") {
      yield {
        id: record.id,
        source: record.file,
        kind: "invalid",
        reason: `${placeOf(record)}: ${record.error}`,
      };
      continue;
    }
    const result = scores.get(record);
    const { id, source, subset, promptHash } = record;
    if (!result) yield { promptHash, skipped: true };
    else if ("reason" in result) yield { id, source, kind: result.kind, reason: result.reason };
    else yield { id, subset: subset ?? source, promptHash, chosen: result.chosen, rejected: result.rejected };
  }
}

type PairResult = { chosen: Score; rejected: Score } | Pick<RejectedPair, "kind" | "reason">;

async function scoreTogether(
  model: RewardModel,
  pairs: readonly PreferencePair[],
  signal: AbortSignal | undefined,
): Promise<Map<PreferencePair, PairResult>> {
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
    const results = new Map<PreferencePair, PairResult>();
    for (const pair of pairs)
      for (const entry of await scoreTogether(model, [pair], signal)) results.set(...entry);
    return results;
  }
}

function toScoredPair({ id, subset, chosen, rejected }: PairScores): ScoredPair {
  // With one objective there is nothing to weigh: simpler models on its reward are the model itself.
  const weighed = Object.keys(chosen.rewards).length > 1;
  return {
    id,
    subset,
    margin: chosen.score - rejected.score,
    lengthDifference: chosen.tokens - rejected.tokens,
    baselines: weighed
      ? {
          "regression mean": mean(chosen.rewards) - mean(rejected.rewards),
          "uniform gate": mean(chosen.adjustedRewards) - mean(rejected.adjustedRewards),
        }
      : {},
  };
}

function mean(values: Readonly<Record<string, number>>): number {
  const list = Object.values(values);
  return list.reduce((sum, value) => sum + value, 0) / list.length;
}
