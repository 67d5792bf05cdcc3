import type { PreferencePair, RowError } from "../data/records.ts";

/** What a pair says, for whoever wants to see why a model has it wrong. */
export interface PairTexts {
  /** Text, or messages, of which the last is shown. */
  readonly prompt: string | readonly { readonly content: string }[];
  readonly chosen: string;
  readonly rejected: string;
}

/**
 * Texts of single pairs, from the records that were scored: evaluations keep none.
 *
 * @param records All of them again, in the same order. @param indexes Places among them, from 0; `index` of a pair of text.
 * @returns By index; records that are no pairs, or not there, are absent.
 *
 * Cost: reads up to the largest index.
 */
export async function readPairTexts(
  records: AsyncIterable<PreferencePair | RowError>,
  indexes: Iterable<number>,
): Promise<Record<number, PairTexts>> {
  const wanted = new Set(indexes);
  const texts: Record<number, PairTexts> = {};
  if (wanted.size === 0) return texts;
  let index = 0;
  for await (const record of records) {
    if (wanted.delete(index) && record.kind === "pair") {
      const { prompt, chosen, rejected } = record;
      texts[index] = { prompt, chosen, rejected };
    }
    if (wanted.size === 0) break;
    index++;
  }
  return texts;
}
