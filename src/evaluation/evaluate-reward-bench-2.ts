import type { GateMeans } from "../armo/gate-means.ts";
import type { RewardModel } from "../reward-model.ts";
import { type Accuracy, groupBy } from "./accuracy.ts";
import {
  type BestOfNScorer,
  type CollectedPrompts,
  collectBestOfN,
  type ScoredPrompt,
} from "./best-of-n-scores.ts";
import { accuracyInterval, percentileInterval, resampleMean, resampleStatistic } from "./bootstrap.ts";
import { type CollectOptions, type RejectedRow, requireRows } from "./collect-rows.ts";
import {
  creditOf,
  isOfficial,
  PROMPTS_2,
  type RewardBench2Row,
  type RewardBench2Score,
  rewardBench2,
  SUBSETS_2,
} from "./reward-bench-2.ts";
import { PROMPT_STEERING, type Steered, withSteeringEffect } from "./steering-effect.ts";
import { pairTies, scoreTiesPrompts } from "./ties.ts";

/** One subset of RewardBench 2. */
export interface Subset2Result extends Accuracy {
  /** Prompts that could not be scored: they count as wrong, and are part of `n`. */
  readonly unscored: number;
  /** Prompts of the official set; another `n` says that these data are not that set. Null for a subset that it lacks. */
  readonly officialPrompts: number | null;
}

/** RewardBench 2 of a model. */
export interface RewardBench2Evaluation extends Pick<RewardBench2Score, "ties" | "missing">, Steered {
  readonly benchmark: "rewardbench2";
  readonly sections: Readonly<Record<string, never>>;
  /** Mean of the six subsets; NaN if one is missing. */
  readonly score: number;
  readonly interval: readonly [number, number];
  readonly scoreWithPriorSets: null;
  /** Prompts scored. */
  readonly n: number;
  /** `accuracy` is the mean credit; that of Ties its own score. */
  readonly subsets: Readonly<Record<string, Subset2Result>>;
  /** The same for `prefer the longer` and `prefer the shorter`. */
  readonly baselines: Readonly<Record<string, Pick<RewardBench2Score, "score" | "subsets">>>;
  readonly gating: GateMeans;
  readonly overlaps: CollectedPrompts["overlaps"];
  readonly repeatedIds: CollectedPrompts["repeatedIds"];
  readonly rejected: readonly RejectedRow[];
}

/**
 * RewardBench 2 of a model. A prompt that could not be scored, or not judged (answers of one kind only, an id of Ties that is
 * malformed or repeated), is rejected with its reason and counts as wrong.
 *
 * @throws {InputError} `no-rows` if no prompt could be scored.
 */
export async function evaluateRewardBench2(
  score: BestOfNScorer,
  trainedOn: RewardModel["trainedOn"],
  options: CollectOptions = {},
): Promise<RewardBench2Evaluation> {
  return reportRewardBench2(await collectBestOfN(score, trainedOn, options));
}

/** The same from results that were collected before. */
export function reportRewardBench2(collected: CollectedPrompts): RewardBench2Evaluation {
  return withSteeringEffect(collected, PROMPT_STEERING, evaluationOf);
}

function evaluationOf(collected: CollectedPrompts): RewardBench2Evaluation {
  requireRows(collected);
  const { overlaps, repeatedIds, gating } = collected;
  const { prompts, rejected } = usablePrompts(collected);
  const unscored = unscoredRows(rejected, prompts);
  const rowsBy = (scoresOf: (prompt: ScoredPrompt) => readonly number[]) => [
    ...prompts.map((prompt) => toRow(prompt, scoresOf(prompt))),
    ...unscored,
  ];
  const rows = rowsBy(({ scores }) => scores);
  const { score, subsets, ties, missing } = rewardBench2(rows);
  const promptHashes = new Map(prompts.map(({ promptHash }, i) => [rows[i]!, promptHash]));
  const draws = new Map(
    [...groupBy(rows, ({ subset }) => subset)].map(([name, list]) => [
      name,
      { list, ...resampleSubset(name, list, promptHashes) },
    ]),
  );
  const baseline = (sign: number) => {
    const result = rewardBench2(rowsBy(({ tokens }) => tokens.map((count) => sign * count)));
    return { score: result.score, subsets: result.subsets };
  };
  return {
    benchmark: "rewardbench2",
    sections: {},
    score,
    interval: percentileInterval(meanOfSix([...draws], missing.length > 0)),
    scoreWithPriorSets: null,
    n: prompts.length,
    subsets: Object.fromEntries(
      Object.entries(subsets).map(([name, accuracy]) => {
        const { list, interval } = draws.get(name)!;
        const official = isOfficial(name) ? PROMPTS_2[name] : null;
        const missed = list.filter(({ scores }) => scores.some(Number.isNaN)).length;
        return [name, { n: list.length, accuracy, interval, unscored: missed, officialPrompts: official }];
      }),
    ),
    ties,
    missing,
    baselines: { "prefer the longer": baseline(1), "prefer the shorter": baseline(-1) },
    gating,
    overlaps,
    repeatedIds,
    rejected,
  };
}

/** Prompts that cannot be judged by the benchmark's rules are rejected too. */
function usablePrompts({ kept, rejected }: CollectedPrompts) {
  const refused: RejectedRow[] = [];
  const ties = new Set<string>();
  const prompts = kept.filter((prompt) => {
    const reason = whyNot(prompt, ties);
    if (reason === null) return true;
    const { id, source, subset } = prompt;
    refused.push({ id, source, subset, kind: "invalid", reason });
    return false;
  });
  return { prompts, rejected: [...rejected, ...refused] };
}

function whyNot({ id, subset, labels }: ScoredPrompt, ties: Set<string>): string | null {
  const right = labels.filter((label) => label > 0).length;
  if (right === 0 || right === labels.length) {
    return `expected right and wrong answers, got ${right} of ${labels.length} right`;
  }
  if (officialName(subset) !== "Ties") return null;
  if (!TIES_ID.test(String(id))) return `expected an id ref:<n> or tied:<n>, got ${id}`;
  if (ties.has(String(id))) return `expected each id of Ties once, got ${id} again`;
  ties.add(String(id));
  return null;
}

/** Right answers first, as the benchmark has them. */
function toRow({ id, subset, labels }: ScoredPrompt, scores: readonly number[]): RewardBench2Row {
  const order = [...labels.keys()].sort((a, b) => Number(labels[b]! > 0) - Number(labels[a]! > 0) || a - b);
  return {
    id: String(id),
    subset: officialName(subset),
    numCorrect: labels.filter((label) => label > 0).length,
    scores: order.map((i) => scores[i]!),
  };
}

/** Rejected rows as the benchmark counts them: wrong. One of Ties whose id is no use counts by itself, among the prompts with one answer unless it says otherwise. */
function unscoredRows(rejected: readonly RejectedRow[], prompts: readonly ScoredPrompt[]): RewardBench2Row[] {
  const taken = new Set(prompts.map(({ id }) => String(id)));
  return rejected.map((row, i) => {
    const subset = officialName(row.subset ?? row.source);
    const id = String(row.id);
    const usable = subset !== "Ties" || (TIES_ID.test(id) && !taken.has(id));
    taken.add(id);
    return {
      id: usable ? id : `${/^tied:/.test(id) ? "tied" : "ref"}:rejected ${i}`,
      subset,
      numCorrect: 1,
      scores: [Number.NaN, Number.NaN],
    };
  });
}

const TIES_ID = /^(ref|tied):./;

/** Subsets as the benchmark writes them, whatever their capitals. */
const officialName = (subset: string): string =>
  SUBSETS_2.find((name) => name.toLowerCase() === subset.toLowerCase()) ?? subset;

function resampleSubset(
  name: string,
  list: readonly RewardBench2Row[],
  promptHashes: ReadonlyMap<RewardBench2Row, string>,
): { resampled: Float64Array; interval: [number, number] } {
  if (name === "Ties") {
    const resampled = resampleStatistic(pairTies(list), (drawn) => scoreTiesPrompts(drawn).score, name);
    return { resampled, interval: percentileInterval(resampled) };
  }
  const credits = list.map((row, i) => ({
    promptHash: promptHashes.get(row) ?? `rejected ${i}`,
    value: creditOf(row),
  }));
  const mean = resampleMean(credits, name);
  return { resampled: mean.resampled, interval: accuracyInterval(mean) };
}

/** The six subsets are drawn independently. */
function meanOfSix(
  draws: readonly (readonly [string, { readonly resampled: Float64Array }])[],
  incomplete: boolean,
): Float64Array {
  const official = draws.filter(([name]) => isOfficial(name));
  const B = draws[0]![1].resampled.length;
  return Float64Array.from({ length: B }, (_, b) =>
    incomplete
      ? Number.NaN
      : official.reduce((sum, [, { resampled }]) => sum + resampled[b]!, 0) / official.length,
  );
}
