// What a run will cost, before anything is computed. H hidden size, K objectives.

import { type EncodeContext, encodeRecord } from "./encode.ts";
import type { EmbeddingKind } from "./manifest.ts";
import type { Survey } from "./survey.ts";

/** The size of a run; of a shard, of its own stretch of the data. */
export interface EmbedPlan {
  /** Rows of the data that the run accounts for, unusable ones included. */
  readonly rows: number;
  /** Tokens of all conversations, from a sample of at least 64 rows; a prompt counts once per response. */
  readonly tokens: number;
  readonly parts: number;
  /** Parts that are there already. */
  readonly partsDone: number;
  /** Rows of the data in those parts. */
  readonly rowsDone: number;
  /** Size of all parts on disk, about. */
  readonly bytes: number;
}

/** The cost of a run that makes some parts of the set: all of them, or those of a shard. Cost: a sample of rows is tokenized. */
export function planRun(
  size: Pick<EmbedPlan, "rows" | "parts" | "partsDone" | "rowsDone">,
  kind: EmbeddingKind,
  survey: Survey,
  context: EncodeContext,
  hiddenSize: number,
): EmbedPlan {
  const { tokens, bytes } = estimateSize(kind, survey, context, hiddenSize);
  const share = size.rows / survey.rows;
  return { ...size, tokens: Math.round(tokens * share), bytes: Math.round(bytes * share) };
}

/** Id, hash and source of a row, as text. */
const ROW_TEXT_BYTES = 180;

/** A final answer, as text. */
const ANSWER_BYTES = 8;

/** Tokens and bytes of all rows, from the survey's sample. Cost: the sample is tokenized. */
export function estimateSize(
  kind: EmbeddingKind,
  { sample, usable, objectives }: Survey,
  context: EncodeContext,
  hiddenSize: number,
): { readonly tokens: number; readonly bytes: number } {
  let [tokens, fitting, responses] = [0, 0, 0];
  for (const { record, weight } of sample) {
    const encoded = encodeRecord(record, 0, context);
    if (!("requests" in encoded)) continue;
    fitting++;
    responses += weight * encoded.requests.length;
    tokens += weight * encoded.requests.reduce((sum, { ids }) => sum + ids.length, 0);
  }
  const share = usable / sample.length;
  const perResponse = 4 * (hiddenSize + 1) + (kind === "best-of-n" ? 8 + ANSWER_BYTES : 0);
  const perRow = { ratings: 4 * objectives.length, pairs: 4 * hiddenSize, "best-of-n": 4 * (hiddenSize + 1) }[
    kind
  ];
  return {
    tokens: Math.round(tokens * share),
    bytes: Math.round(share * (responses * perResponse + fitting * (perRow + ROW_TEXT_BYTES))),
  };
}
