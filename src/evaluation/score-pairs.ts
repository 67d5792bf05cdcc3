import type { PreferencePair, RowError } from "../data/records.ts";
import type { RewardModel } from "../reward-model.ts";
import type { PairResult } from "./pair-scores.ts";
import { type ScoreRecordsOptions, scoreRecords } from "./score-records.ts";

/** Scores pairs of text: one result per record, in order. */
export async function* scorePairs(
  model: RewardModel,
  records: AsyncIterable<PreferencePair | RowError>,
  options: ScoreRecordsOptions = {},
): AsyncGenerator<PairResult> {
  const responses = ({ chosen, rejected }: PreferencePair) => [chosen, rejected];
  for await (const result of scoreRecords(model, records, responses, options)) {
    if (!("record" in result)) {
      yield result;
      continue;
    }
    const { id, source, subset, promptHash, fields } = result.record;
    const [chosen, rejected] = result.scores;
    const about = { id, source, subset, promptHash, ...(fields ? { fields } : {}) };
    yield { ...about, chosen: chosen!, rejected: rejected! };
  }
}
