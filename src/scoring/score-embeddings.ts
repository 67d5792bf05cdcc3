import type { EmbeddingSet } from "../embedding/embedding-set.ts";
import type { EmbeddingKind, Rejection } from "../embedding/manifest.ts";
import type { RowInfo } from "../embedding/part.ts";
import { InputError } from "../errors.ts";
import type { Score, Steering } from "../reward-model.ts";
import type { ScorerDirectory } from "./model-directory.ts";
import { toScore } from "./score-parts.ts";
import { steerScorer } from "./scorer.ts";

/** A row that could not be embedded. */
export type RejectedEmbedding = Rejection & { readonly subset: string | null };

/** One embedded preference pair, scored without a backbone. */
export interface ScoredEmbeddedPair {
  readonly id: string | number | null;
  readonly source: string;
  /** Null where the row named none. */
  readonly subset: string | null;
  readonly promptHash: string;
  readonly chosen: Score;
  readonly rejected: Score;
}

/** One embedded prompt with its responses, scored without a backbone. */
export interface ScoredEmbeddedBestOfN {
  readonly id: string | number | null;
  readonly source: string;
  /** Null where the row named none. */
  readonly subset: string | null;
  readonly promptHash: string;
  /** In the order of the row; `index` is the place in it. */
  readonly responses: readonly Score[];
  /** One per response. */
  readonly labels: readonly number[];
  /** One per response, normalised; null where it has none. */
  readonly finalAnswers: readonly (string | null)[];
}

/** A row that was to be skipped. */
export interface SkippedRow {
  readonly promptHash: string;
  readonly skipped: true;
}

export interface ScoreSetsOptions {
  /** Only the first rows of the data, over all sets, rejected ones included. Default: all. */
  readonly limit?: number;
  /** Rows to leave out, by the hash of their prompt. Default: none. */
  readonly skip?: (promptHash: string) => boolean;
  /** Another mixture than the model's own. Default: none. */
  readonly steering?: Steering;
}

/**
 * Scores embedded pairs without a backbone. Pairs that could not be embedded come out as rejections in their place: results are
 * in the order of the data, and `limit` counts its rows.
 * Of a score's `tokens` only the difference between the two responses means something: embeddings know the responses'
 * tokens, not the prompt's; imported ones know neither (NaN).
 *
 * @throws {InputError} If a set holds another kind, or was embedded with another backbone or another chat than the
 *   model's; what {@link steerScorer} refuses.
 */
export async function* scorePairSets(
  model: ScorerDirectory,
  sets: readonly EmbeddingSet[],
  options: ScoreSetsOptions = {},
): AsyncGenerator<ScoredEmbeddedPair | RejectedEmbedding | SkippedRow> {
  requireSets(model, sets, "pairs");
  const scorer = steerScorer(model.scorer, options.steering, model.location);
  const H = scorer.hiddenSize;
  yield* scoreInOrder(
    sets,
    options,
    (set) => set.pairs(),
    (chunk, i, about) => {
      const { embeddings, promptEmbeddings, responseTokens } = chunk;
      const { id, subset, source, promptHash } = chunk.rows[i]!;
      const scoreResponse = scorer.forPrompt(promptEmbeddings.subarray(i * H, (i + 1) * H));
      const [chosen, rejected] = [2 * i, 2 * i + 1].map((r) => {
        const parts = scoreResponse(embeddings.subarray(r * H, (r + 1) * H));
        const tokens = responseTokens?.[r] ?? Number.NaN;
        return toScore(parts, scorer.objectives, { ...about, model: model.location, tokens });
      });
      return { id, source, subset, promptHash, chosen: chosen!, rejected: rejected! };
    },
  );
}

/**
 * Scores the responses of embedded best-of-N rows, without a backbone; rows that could not be embedded
 * come out as rejections in their place. The gate runs once per prompt; otherwise {@link scorePairSets}.
 *
 * @throws {InputError} If a set holds another kind, or was embedded with another backbone or another chat than the
 *   model's; what {@link steerScorer} refuses.
 */
export async function* scoreBestOfNSets(
  model: ScorerDirectory,
  sets: readonly EmbeddingSet[],
  options: ScoreSetsOptions = {},
): AsyncGenerator<ScoredEmbeddedBestOfN | RejectedEmbedding | SkippedRow> {
  requireSets(model, sets, "best-of-n");
  const scorer = steerScorer(model.scorer, options.steering, model.location);
  const H = scorer.hiddenSize;
  yield* scoreInOrder(
    sets,
    options,
    (set) => set.bestOfN(),
    (chunk, i, { dtype }) => {
      const { offsets, embeddings, promptEmbeddings, responseTokens } = chunk;
      const { id, subset, source, promptHash, finalAnswers = [] } = chunk.rows[i]!;
      const scoreResponse = scorer.forPrompt(promptEmbeddings.subarray(i * H, (i + 1) * H));
      const [first, end] = [offsets[i]!, offsets[i + 1]!];
      const responses = Array.from({ length: end - first }, (_, index): Score => {
        const r = first + index;
        const parts = scoreResponse(embeddings.subarray(r * H, (r + 1) * H));
        const about = { dtype, model: model.location, index, tokens: responseTokens[r]! };
        return toScore(parts, scorer.objectives, about);
      });
      const labels = [...chunk.labels.subarray(first, end)];
      return { id, source, subset, promptHash, responses, labels, finalAnswers };
    },
  );
}

/** Rows and rejections of all sets in the order of the data; `index` is a row's place among all results. */
async function* scoreInOrder<Chunk extends { readonly rows: readonly RowInfo[] }, Row>(
  sets: readonly EmbeddingSet[],
  { limit = Number.POSITIVE_INFINITY, skip = () => false }: ScoreSetsOptions,
  chunksOf: (set: EmbeddingSet) => AsyncIterable<Chunk>,
  scoreRow: (chunk: Chunk, i: number, about: { readonly index: number; readonly dtype: string }) => Row,
): AsyncGenerator<Row | RejectedEmbedding | SkippedRow> {
  let read = 0;
  for (const set of sets) {
    const { dtype } = set.manifest.backbone;
    const rejected = rejectionsBefore(set);
    for await (const chunk of chunksOf(set)) {
      for (const [i, { row, promptHash }] of chunk.rows.entries()) {
        for (const rejection of rejected(row)) {
          if (read++ >= limit) return;
          yield skippedOr(rejection, skip);
        }
        if (read++ >= limit) return;
        yield skip(promptHash)
          ? { promptHash, skipped: true }
          : scoreRow(chunk, i, { index: read - 1, dtype });
      }
    }
    for (const rejection of rejected(Number.POSITIVE_INFINITY)) {
      if (read++ >= limit) return;
      yield skippedOr(rejection, skip);
    }
  }
}

/** Hands out a set's rejections in the order of the data: at each call those before a row that were not handed out yet. */
function rejectionsBefore({ manifest }: EmbeddingSet): (row: number) => readonly RejectedEmbedding[] {
  const left = manifest.rejections
    // Sets of earlier versions do not say the subsets of rejected rows.
    .map((rejection): RejectedEmbedding => ({ ...rejection, subset: rejection.subset ?? null }))
    .sort((a, b) => a.row - b.row);
  let at = 0;
  return (row) => {
    const from = at;
    while (at < left.length && left[at]!.row < row) at++;
    return left.slice(from, at);
  };
}

/** A rejected row that is to be skipped is skipped: a model that scores the text never sees it. */
const skippedOr = (
  rejection: RejectedEmbedding,
  skip: (promptHash: string) => boolean,
): RejectedEmbedding | SkippedRow =>
  rejection.promptHash !== undefined && skip(rejection.promptHash)
    ? { promptHash: rejection.promptHash, skipped: true }
    : rejection;

function requireSets(model: ScorerDirectory, sets: readonly EmbeddingSet[], kind: EmbeddingKind): void {
  for (const set of sets) {
    requireKind(set, kind);
    requireSameBackbone(model, set);
  }
}

function requireKind(set: EmbeddingSet, kind: EmbeddingKind): void {
  if (set.manifest.kind === "ratings") {
    throw new InputError(
      "wrong-embedding-kind",
      `${set.directory}: expected embedded ${kind}, got ratings, which hold no prompt embedding for the gate`,
      `embed ${kind === "pairs" ? "preference pairs" : "best-of-N rows"} with --kind ${kind}, or score the conversations themselves`,
    );
  }
  set.expect(kind);
}

function requireSameBackbone({ location, scorer, backbone, chat }: ScorerDirectory, set: EmbeddingSet): void {
  const remedy = "embed the data with the model's backbone and chat options";
  if (set.hiddenSize !== scorer.hiddenSize) {
    const what = `${set.directory}: expected embeddings ${scorer.hiddenSize} wide, got ${set.hiddenSize}`;
    throw new InputError("wrong-backbone", what, remedy);
  }
  const { backbone: embeddedWith, chat: embeddedChat } = set.manifest;
  const other = (what: string) =>
    new InputError(
      "wrong-backbone",
      `${set.directory}: expected the ${what} of ${location}, got another`,
      remedy,
    );
  if (backbone.fingerprint !== null && backbone.fingerprint !== embeddedWith.fingerprint)
    throw other("backbone");
  if (chat && chat.fingerprint !== embeddedChat.fingerprint) throw other("chat template and tokenizer");
}
