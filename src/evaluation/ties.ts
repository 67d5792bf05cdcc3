// The Ties subset of RewardBench 2: prompts with several right answers, beside prompts with one.

/** One prompt of the subset; its first `numCorrect` scores are of right answers. */
export interface TiesRow {
  /** `tied:<n>`: several right answers; `ref:<n>`: the same kind of prompt with one. */
  readonly id: string;
  readonly numCorrect: number;
  /** Of all answers; a score that is no number makes the prompt count as wrong. */
  readonly scores: readonly number[];
}

export interface TiesScore {
  readonly score: number;
  /** Prompts of either kind on which every right answer scores above every wrong one. */
  readonly tiedAccuracy: number;
  readonly refAccuracy: number;
  /** Of the ids present in both kinds: how often the margin exceeds the spread of the right answers. */
  readonly preferred: number;
  readonly preferredHard: number;
  /** Mean tanh(min(m_ref, m_tied) / d − 1). */
  readonly marginScore: number;
  /** Ids present in both kinds. */
  readonly prompts: number;
}

interface PromptStatistics {
  /** d = max − min over right answers. */
  readonly spread: number;
  /** m = min over right answers − max over wrong ones. */
  readonly margin: number;
}

/** The prompts of one number: of either kind, or of both. */
export interface TiesPrompts {
  readonly ref?: PromptStatistics;
  readonly tied?: PromptStatistics;
}

/**
 * Scores the Ties subset: .30·acc_tied + .30·acc_ref + .20·mean[m_tied > d] + .20·mean[min(m_ref, m_tied) > d] +
 * .01·mean tanh(min(m_ref, m_tied)/d − 1), d of the tied prompt, over ids present in both kinds from the third term on.
 * 0/0 counts as 0, m/0 as ±1. A prompt without a finite score for every answer counts as wrong in every term.
 *
 * @throws {TypeError} `Ties: ids must be ref:<n> or tied:<n>, got 12`, or where an id occurs twice or an answer is missing.
 * Source: allenai/reward-bench, `rewardbench/utils.py` (process_single_model).
 */
export const scoreTies = (rows: readonly TiesRow[]): TiesScore => scoreTiesPrompts(pairTies(rows));

/** Puts the two kinds of each number together. @throws {TypeError} as `scoreTies`. */
export function pairTies(rows: readonly TiesRow[]): TiesPrompts[] {
  const prompts = new Map<string, { ref?: PromptStatistics; tied?: PromptStatistics }>();
  for (const row of rows) {
    const [, kind, number] = /^(ref|tied):(.+)$/.exec(row.id) ?? [];
    if (kind === undefined) throw new TypeError(`Ties: ids must be ref:<n> or tied:<n>, got ${row.id}`);
    const both = prompts.get(number!) ?? {};
    if (both[kind as "ref" | "tied"]) throw new TypeError(`Ties: ids must differ, got ${row.id} twice`);
    both[kind as "ref" | "tied"] = statisticsOf(row);
    prompts.set(number!, both);
  }
  return [...prompts.values()];
}

/** The score of prompts that were paired before; they may repeat, as in a resample. */
export function scoreTiesPrompts(prompts: readonly TiesPrompts[]): TiesScore {
  const accurate = (kind: "ref" | "tied") =>
    mean(prompts.flatMap(({ [kind]: statistics }) => (statistics ? [Number(statistics.margin > 0)] : [])));
  const both = prompts.flatMap(({ ref, tied }) =>
    ref && tied ? [{ d: tied.spread, tied: tied.margin, least: Math.min(ref.margin, tied.margin) }] : [],
  );
  const refAccuracy = accurate("ref");
  const tiedAccuracy = accurate("tied");
  const preferred = mean(both.map(({ tied, d }) => Number(tied > d)));
  const preferredHard = mean(both.map(({ least, d }) => Number(least > d)));
  const marginScore = mean(
    both.map(({ least, d }) => (least === 0 && d === 0 ? 0 : Math.tanh(least / d - 1))),
  );
  return {
    score:
      0.3 * tiedAccuracy + 0.3 * refAccuracy + 0.2 * preferred + 0.2 * preferredHard + 0.01 * marginScore,
    tiedAccuracy,
    refAccuracy,
    preferred,
    preferredHard,
    marginScore,
    prompts: both.length,
  };
}

function statisticsOf({ id, numCorrect, scores }: TiesRow): PromptStatistics {
  if (!(numCorrect >= 1 && numCorrect < scores.length)) {
    throw new TypeError(
      `Ties: ${id} must have right and wrong answers, got ${numCorrect} of ${scores.length} right`,
    );
  }
  if (!scores.every(Number.isFinite)) return { spread: 1, margin: Number.NEGATIVE_INFINITY };
  const right = scores.slice(0, numCorrect);
  return {
    spread: Math.max(...right) - Math.min(...right),
    margin: Math.min(...right) - Math.max(...scores.slice(numCorrect)),
  };
}

/** 0 for nothing, as the benchmark has it. */
const mean = (values: readonly number[]): number =>
  values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;
