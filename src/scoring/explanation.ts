// Why a score is what it is, and why one response beats another, in a sentence that is built from their own numbers.

import type { ByObjective, ComparedPair, Comparison, Score } from "../reward-model.ts";

/** Objectives that a sentence names; the others are summed. */
const NAMED = 3;

/**
 * What a score is made of: `60 % of this score of 0.107 is verbosity (+0.080), 25 % helpfulness (+0.033, rated 3.6), 15 % others (−0.006)`.
 *
 * Per cent are `shares`: |contribution| / Σ|contribution|. In brackets stand the contribution and, for an objective with a scale,
 * its reward as people rate. The contributions, others included, sum to the score as it is printed; where rounding keeps them from
 * it, the sentence ends in `(rounded)`.
 *
 * @throws {RangeError} `explainScore: numbers must be finite, got NaN for honesty`
 */
export function explainScore({
  score,
  contributions,
  ratings,
}: Pick<Score, "score" | "contributions" | "ratings">): string {
  requireFinite("explainScore", { score, ...contributions });
  const total = sumOf(Object.values(contributions).map(Math.abs));
  if (total < NOTHING) return `no objective contributes: this score is ${unsigned(score, 0)}`;
  const { digits, named, others, exact } = addUp(score, contributions);
  const shareOf = (value: number): string => percentOf(value / total);
  const parts = named.map(([name, value], place) => {
    const rating = ratings[name];
    const rated = rating === undefined || !Number.isFinite(rating) ? "" : `, rated ${unsigned(rating, 1)}`;
    const alone = Object.keys(contributions).length === 1;
    const share = alone ? "all" : shareOf(Math.abs(value));
    const of = place === 0 ? ` of this score of ${unsigned(score, digits)} is` : "";
    const inBrackets = alone ? rated.slice(2) : `${signed(value, digits)}${rated}`;
    return `${share}${of} ${name}${inBrackets === "" ? "" : ` (${inBrackets})`}`;
  });
  const othersShare = 1 - sumOf(named.map(([, value]) => Math.abs(value))) / total;
  if (unitsOf(others, digits) !== 0 || othersShare >= 0.005) {
    parts.push(`${percentOf(othersShare)} others (${signed(others, digits)})`);
  }
  return `${parts.join(", ")}${exact ? "" : " (rounded)"}`;
}

/**
 * Why one of two responses wins: `A wins by 0.21 (probability 63 %): safety +0.18, truthfulness +0.05, verbosity −0.02`.
 *
 * The largest contributions to the margin come first; what is printed, others included, sums to the margin as it is printed, or the
 * sentence ends in `(rounded)`. There is a probability where the model has a margin scale, and nothing to split where it has one
 * objective.
 *
 * @param nameOf What a response is called, by its index. Default: A, B, C, …
 * @throws {RangeError} `explainComparison: numbers must be finite, got NaN for honesty`
 */
export function explainComparison(
  { better, worse, margin, probability, contributions }: ComparedPair,
  nameOf: (index: number) => string = letter,
): string {
  requireFinite("explainComparison", { margin, ...contributions });
  const { digits, named, others, exact } = addUp(margin, contributions);
  const [winner, loser] = [nameOf(better), nameOf(worse)];
  const odds = probability === null ? "" : ` (probability ${percentOf(probability)})`;
  const least = 10 ** -digits;
  const by = Math.abs(margin) < least / 2 ? `less than ${unsigned(least, digits)}` : unsigned(margin, digits);
  const verdict = margin === 0 ? `${winner} and ${loser} tie` : `${winner} wins by ${by}${odds}`;
  if (Object.keys(contributions).length === 1) return verdict;
  if (named.length === 0) return `${verdict}: they agree in every objective`;
  const parts = named.map(([name, value]) => `${name} ${signed(value, digits)}`);
  if (unitsOf(others, digits) !== 0) parts.push(`others ${signed(others, digits)}`);
  return `${verdict}: ${parts.join(", ")}${exact ? "" : " (rounded)"}`;
}

/**
 * Which objectives the gate weighs most for this prompt: `the gate listens to safety 62 %, helpfulness 21 %`; null for a model of one
 * objective, which has nothing to weigh.
 *
 * Per cent are |weight| / Σ|weight|. Named are at most three, those below 5 % only where there is no larger.
 *
 * @throws {RangeError} `explainGate: numbers must be finite, got NaN for honesty`
 */
export function explainGate(gatingOutput: ByObjective): string | null {
  requireFinite("explainGate", gatingOutput);
  const weights = bySize(gatingOutput);
  const total = sumOf(weights.map(([, weight]) => Math.abs(weight)));
  if (weights.length < 2) return null;
  if (total === 0) return "the gate listens to no objective";
  const shares = weights.map(([name, weight]) => ({ name, share: Math.abs(weight) / total }));
  const top = shares.slice(0, NAMED).filter(({ share }, place) => place === 0 || share >= 0.05);
  const listed = top.map(({ name, share }) => `${name} ${percentOf(share)}`).join(", ");
  const flat = shares[0]!.share < 1.5 / shares.length;
  return flat
    ? `the gate listens to all ${shares.length} objectives about alike, most to ${listed}`
    : `the gate listens to ${listed}`;
}

/** A score with its words, as `armorm score --json` and the server give it. */
export const explainedScore = <S extends Parameters<typeof explainScore>[0]>(
  score: S,
): S & { readonly explanation: string } => ({
  ...score,
  explanation: explainScore(score),
});

/** A comparison with the words of each pair, as `armorm compare --json` and the server give it. */
export const explainedComparison = <C extends Pick<Comparison, "pairs">>(comparison: C) => ({
  ...comparison,
  pairs: comparison.pairs.map((pair) => ({ ...pair, explanation: explainComparison(pair) })),
});

/** A, B, C, …: what a response is called. */
export const letter = (index: number): string =>
  index < 26 ? String.fromCharCode(65 + index) : `#${index + 1}`;

/** `+0.18`, `−0.02`: with a sign that is as wide as the plus. */
export const signed = (value: number, digits: number): string =>
  `${unitsOf(value, digits) < 0 ? "−" : "+"}${Math.abs(value).toFixed(digits)}`;

/** `0.18`, `−0.02` */
const unsigned = (value: number, digits: number): string => signed(value, digits).replace(/^\+/, "");

interface Sum {
  /** Decimals at which every number is printed. */
  readonly digits: number;
  /** The largest, as they are. */
  readonly named: readonly (readonly [name: string, value: number])[];
  /** The sum of the rest. */
  readonly others: number;
  /** Whether the printed numbers sum to the printed total. */
  readonly exact: boolean;
}

/** More decimals are printed only where no number would be seen without them. */
const USUAL_DIGITS = 6;
/** Contributions below this in sum are none. */
const NOTHING = 1e-90;

/** At least two decimals, and enough for two digits of the total; one more where only then the printed numbers add up. */
function addUp(total: number, contributions: ByObjective): Sum {
  const largest = Math.max(...Object.values(contributions).map(Math.abs));
  const most = Math.max(USUAL_DIGITS, digitsFor(largest));
  const wanted = Math.min(most, digitsFor(Math.abs(total) || largest));
  const few = sumAt(wanted, total, contributions);
  if (few.exact) return few;
  const more = sumAt(wanted + 1, total, contributions);
  return more.exact ? more : few;
}

/** Decimals that show two digits of a size. */
const digitsFor = (size: number): number =>
  size < NOTHING ? 2 : Math.max(2, 1 - Math.floor(Math.log10(size)));

function sumAt(digits: number, total: number, contributions: ByObjective): Sum {
  const sorted = bySize(contributions);
  const named = sorted.filter(([, value], place) => place < NAMED && unitsOf(value, digits) !== 0);
  const others = sumOf(sorted.slice(named.length).map(([, value]) => value));
  const printed = [...named.map(([, value]) => value), others].map((value) => unitsOf(value, digits));
  return { digits, named, others, exact: sumOf(printed) === unitsOf(total, digits) };
}

/** A number in units of its last printed decimal, rounded as it is printed. */
const unitsOf = (value: number, digits: number): number =>
  Math.round(Number(value.toFixed(digits)) * 10 ** digits);

const bySize = (values: ByObjective): [string, number][] =>
  Object.entries(values).sort(([, a], [, b]) => Math.abs(b) - Math.abs(a));

const sumOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);

/** `62 %`; near the ends with a decimal, because nothing is certain. */
function percentOf(share: number): string {
  if (share > 0 && share < 0.001) return "< 0.1 %";
  if (share < 1 && share > 0.999) return "> 99.9 %";
  const fine = (share > 0 && share < 0.01) || (share < 1 && share > 0.99);
  return `${(100 * share).toFixed(fine ? 1 : 0)} %`;
}

function requireFinite(what: string, values: ByObjective): void {
  for (const [name, value] of Object.entries(values)) {
    if (!Number.isFinite(value))
      throw new RangeError(`${what}: numbers must be finite, got ${value} for ${name}`);
  }
}
