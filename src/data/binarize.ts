import { dirname } from "node:path";
import { InputError } from "../errors.ts";
import type { DataLocation } from "./location.ts";
import {
  type PromptTexts,
  type RatedPrompt,
  RatedPrompts,
  type RatedResponse,
  type RatingRange,
} from "./rated-prompts.ts";
import { requireScalesUsed, scaleOf } from "./rating-scale.ts";
import { type RatingsOptions, readRatings } from "./ratings.ts";
import { type RejectedRows, RejectionCount } from "./rejections.ts";
import { createRowsFile } from "./rows-file.ts";
import { TextSpool } from "./text-spool.ts";

export interface BinarizeOptions extends RatingsOptions {
  /** Objectives, under their full names, of which less is better. Default: none. */
  readonly lowerIsBetter?: readonly string[];
  /** Leave out pairs with a smaller margin. ≥ 0, on the margin's scale. Default 0. */
  readonly minMargin?: number;
  /** All pairs of a prompt, or the one with the largest margin. Default `all`. */
  readonly pairs?: "all" | "best-worst";
  /** Replace a file that is there. Default false. */
  readonly overwrite?: boolean;
  /** Stop at the first row that cannot be read. Default false: such rows are counted. */
  readonly strict?: boolean;
  readonly signal?: AbortSignal;
  readonly onProgress?: (rows: number) => void;
}

export interface BinarizeReport {
  readonly file: string;
  /** Rated rows read, the prompts and the distinct responses in them. */
  readonly rows: number;
  readonly prompts: number;
  readonly responses: number;
  /** Prompts with a single response, which give no pair. */
  readonly singles: number;
  /** Pairs written. */
  readonly pairs: number;
  /** Pairs left out: equal means, a margin below the least, no objective rated in both. */
  readonly ties: number;
  readonly belowMinMargin: number;
  readonly incomparable: number;
  /** Of the pairs written; null where there are none. */
  readonly margin: { readonly minimum: number; readonly mean: number; readonly maximum: number } | null;
  /** `rating` where each source has one objective, `unit` where objectives were scaled to [0, 1] to be averaged. */
  readonly scale: "rating" | "unit";
  readonly objectives: readonly RatingRange[];
  readonly rejected: RejectedRows;
}

/** A line of the file that `binarize` writes; `ids` are those of the rated rows, where they have any. */
interface PairRow {
  id: string;
  prompt: readonly { role: string; content: string }[];
  chosen: string;
  rejected: string;
  margin: number;
  subset: string;
  ids?: { chosen: string | number | null; rejected: string | number | null };
}

/**
 * Turns ratings into preference pairs with target margins.
 *
 * Two responses of one source to the same prompt make a pair. Chosen is the one with the higher mean over the
 * objectives that both are rated on; the margin is the difference of the means, so that 5 against 1 counts for more
 * than 3 against 2. With one objective the margin is on its rating scale; with several, each is first scaled to [0, 1]
 * by the range that is declared, or else occurs in its source. Equal means (within 1e-9) are ties and are left out, as are equal responses,
 * whose ratings are averaged.
 *
 * @throws {InputError} Those of `readRatings` and `createRowsFile`; `unknown-objective` for a name in `lowerIsBetter`
 *   that is not rated; `unused-scale`; `no-pairs` when nothing was left to write.
 *
 * Cost: one pass. Memory is about half a kilobyte per response; texts wait on disk beside `out`, as much as is read.
 */
export async function binarize(
  locations: readonly DataLocation[],
  out: string,
  options: BinarizeOptions = {},
): Promise<BinarizeReport> {
  const { lowerIsBetter = [], minMargin = 0, pairs: which = "all", overwrite = false, signal } = options;
  if (!(minMargin >= 0)) throw new RangeError(`binarize: minMargin must be ≥ 0, got ${minMargin}`);
  const rejections = new RejectionCount(options.strict);
  await using file = await createRowsFile(out, { overwrite });
  await using spool = await TextSpool.create(dirname(out));
  const rated = new RatedPrompts(spool);
  const count = {
    rows: 0,
    prompts: 0,
    responses: 0,
    singles: 0,
    ties: 0,
    belowMinMargin: 0,
    incomparable: 0,
  };
  for await (const record of readRatings(locations, options)) {
    signal?.throwIfAborted();
    if (record.kind === "error") rejections.add(record);
    else {
      count.rows++;
      await rated.add(record);
    }
    options.onProgress?.(count.rows + rejections.rows.count);
  }

  requireScalesUsed(
    options.scales ?? [],
    rated.ranges().map(({ objective }) => objective),
  );
  const ranges = rated
    .ranges()
    .map((range) => ({ ...range, ...scaleOf(range.objective, options.scales ?? [])?.range }));
  refuseUnknown(lowerIsBetter, ranges);
  const scales = scalesOf(ranges, new Set(lowerIsBetter));
  const margins = { minimum: Number.POSITIVE_INFINITY, sum: 0, maximum: 0 };
  for (const prompt of rated.prompts()) {
    signal?.throwIfAborted();
    const { responses } = prompt;
    count.prompts++;
    count.responses += responses.length;
    if (responses.length === 1) count.singles++;
    const kept = comparePairs(prompt, scales.of(prompt.source), minMargin, count);
    const chosen = which === "all" ? kept : kept.length === 0 ? [] : [widest(kept)];
    if (chosen.length === 0) continue;
    const texts = await rated.texts(prompt);
    for (const pair of chosen) {
      await file.write(`${JSON.stringify(pairRow(prompt, texts, count.prompts, pair))}\n`);
      margins.minimum = Math.min(margins.minimum, pair.margin);
      margins.maximum = Math.max(margins.maximum, pair.margin);
      margins.sum += pair.margin;
    }
  }
  const pairs = file.rows;
  if (pairs === 0) throw noPairs(count);
  await file.finish();
  return {
    file: out,
    ...count,
    pairs,
    margin: { minimum: margins.minimum, mean: margins.sum / pairs, maximum: margins.maximum },
    scale: scales.name,
    objectives: ranges,
    rejected: rejections.rows,
  };
}

/** Rating → what is averaged, for one source, by objective. */
type Scale = ReadonlyMap<string, (rating: number) => number>;

function scalesOf(
  ranges: readonly RatingRange[],
  lowerIsBetter: ReadonlySet<string>,
): { name: "rating" | "unit"; of: (source: string) => Scale } {
  const sources = new Map<string, Map<string, (rating: number) => number>>();
  for (const { source } of ranges) sources.set(source, new Map());
  const several = [...sources.keys()].some(
    (source) => ranges.filter((range) => range.source === source).length > 1,
  );
  for (const { source, objective, minimum, maximum } of ranges) {
    const sign = lowerIsBetter.has(objective) ? -1 : 1;
    const width = several ? maximum - minimum || 1 : 1;
    sources.get(source)!.set(objective, (rating) => (sign * (rating - (several ? minimum : 0))) / width);
  }
  return { name: several ? "unit" : "rating", of: (source) => sources.get(source)! };
}

interface ComparedResponses {
  readonly chosen: number;
  readonly rejected: number;
  readonly margin: number;
}

/** Differences below this are rounding in the means. */
const TIE = 1e-9;

function comparePairs(
  { responses }: RatedPrompt,
  scale: Scale,
  minMargin: number,
  count: { ties: number; belowMinMargin: number; incomparable: number },
): ComparedResponses[] {
  const kept: ComparedResponses[] = [];
  for (let i = 0; i < responses.length; i++) {
    for (let j = i + 1; j < responses.length; j++) {
      const difference = meanDifference(responses[i]!, responses[j]!, scale);
      if (difference === null) count.incomparable++;
      else if (Math.abs(difference) <= TIE) count.ties++;
      else if (Math.abs(difference) < minMargin - TIE) count.belowMinMargin++;
      else {
        const [chosen, rejected] = difference > 0 ? [i, j] : [j, i];
        kept.push({ chosen, rejected, margin: Math.abs(difference) });
      }
    }
  }
  return kept;
}

/** Mean of `a` minus mean of `b` over the objectives that both are rated on; null where there is none. */
function meanDifference(a: RatedResponse, b: RatedResponse, scale: Scale): number | null {
  let sum = 0;
  let shared = 0;
  for (const [objective, rating] of a.ratings) {
    const other = b.ratings.get(objective);
    if (other === undefined) continue;
    const scaled = scale.get(objective)!;
    sum += scaled(rating) - scaled(other);
    shared++;
  }
  return shared === 0 ? null : sum / shared;
}

/** The pair with the largest margin, the first of equals. */
function widest(pairs: readonly ComparedResponses[]): ComparedResponses {
  return pairs.reduce((best, pair) => (pair.margin > best.margin + TIE ? pair : best));
}

function pairRow(
  { source, responses }: RatedPrompt,
  texts: PromptTexts,
  number: number,
  { chosen, rejected, margin }: ComparedResponses,
): PairRow {
  const ids = { chosen: responses[chosen]!.id, rejected: responses[rejected]!.id };
  return {
    id: `${source}-${number}-${chosen + 1}-${rejected + 1}`,
    prompt: texts.prompt,
    chosen: texts.responses[chosen]!,
    rejected: texts.responses[rejected]!,
    margin: Number(margin.toPrecision(12)),
    subset: source,
    ...(ids.chosen === null && ids.rejected === null ? {} : { ids }),
  };
}

function refuseUnknown(lowerIsBetter: readonly string[], ranges: readonly RatingRange[]): void {
  const rated = [...new Set(ranges.map(({ objective }) => objective))];
  const unknown = lowerIsBetter.filter((name) => !rated.includes(name));
  if (unknown.length === 0) return;
  throw new InputError(
    "unknown-objective",
    `lower-is-better: expected objectives that are compared, got ${unknown.join(", ")}`,
    `compared are ${rated.join(", ")}`,
  );
}

function noPairs(count: {
  prompts: number;
  singles: number;
  ties: number;
  belowMinMargin: number;
}): InputError {
  const { prompts, singles, ties, belowMinMargin } = count;
  return new InputError(
    "no-pairs",
    `binarize: expected prompts with responses rated apart, got none of ${prompts} (${singles} with one response, ${ties} ties, ${belowMinMargin} below the least margin)`,
    "give data that rates several responses to a prompt, or other objectives",
  );
}
