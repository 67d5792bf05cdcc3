// What a run will cost, before anything is computed. H hidden size, K objectives.

import { type EncodeContext, encodePair, encodeRating } from "./encode.ts";
import type { EmbeddingKind } from "./manifest.ts";
import type { Survey } from "./survey.ts";

/** The size of a run. */
export interface EmbedPlan {
  /** Rows of the data, unusable ones included. */
  readonly rows: number;
  /** Tokens of all conversations, from a sample of at least 64 rows; a pair's prompt counts twice. */
  readonly tokens: number;
  readonly parts: number;
  /** Parts that are there already. */
  readonly partsDone: number;
  /** Rows of the data in those parts. */
  readonly rowsDone: number;
  /** Size of all parts on disk, about. */
  readonly bytes: number;
}

/** Id, hash and source of a row, as text. */
const ROW_TEXT_BYTES = 180;

/** Tokens and bytes of all rows, from the survey's sample. Cost: the sample is tokenized. */
export function estimateSize(
  kind: EmbeddingKind,
  { sample, usable, objectives }: Survey,
  context: EncodeContext,
  hiddenSize: number,
): { readonly tokens: number; readonly bytes: number } {
  let [tokens, fitting] = [0, 0];
  for (const record of sample) {
    const encoded =
      record.kind === "rating" ? encodeRating(record, 0, context) : encodePair(record, 0, context);
    if (!("requests" in encoded)) continue;
    fitting++;
    tokens += encoded.requests.reduce((sum, { ids }) => sum + ids.length, 0);
  }
  const share = usable / sample.length;
  const floats = kind === "pairs" ? 3 * hiddenSize + 2 : hiddenSize + objectives.length + 1;
  return {
    tokens: Math.round(tokens * share),
    bytes: Math.round(fitting * share * (4 * floats + ROW_TEXT_BYTES)),
  };
}
