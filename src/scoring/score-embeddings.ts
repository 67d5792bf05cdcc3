import type { EmbeddingSet } from "../embedding/embedding-set.ts";
import type { EmbeddingKind, Rejection } from "../embedding/manifest.ts";
import { InputError } from "../errors.ts";
import type { Score } from "../reward-model.ts";
import type { ScorerDirectory } from "./model-directory.ts";
import { type ScoreParts, toScore } from "./score-parts.ts";

/** A row that could not be embedded. */
export type RejectedRow = Rejection & { readonly subset: string | null };

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
  /** Rows to read over all sets. Default: all. */
  readonly limit?: number;
  /** Rows to leave out, by the hash of their prompt. Default: none. */
  readonly skip?: (promptHash: string) => boolean;
}

/**
 * Scores embedded pairs, the first `limit`, without a backbone; pairs that could not be embedded follow as rejections.
 * Of a score's `tokens` only the difference between the two responses means something: embeddings know the responses'
 * tokens, not the prompt's; imported ones know neither (NaN).
 *
 * @throws {InputError} If a set holds another kind, or was embedded with another backbone or another chat than the
 *   model's.
 */
export async function* scorePairSets(
  model: ScorerDirectory,
  sets: readonly EmbeddingSet[],
  { limit = Number.POSITIVE_INFINITY, skip = () => false }: ScoreSetsOptions = {},
): AsyncGenerator<ScoredEmbeddedPair | RejectedRow | SkippedRow> {
  for (const set of sets) {
    requireKind(set, "pairs");
    requireSameBackbone(model, set);
  }
  const { scorer } = model;
  const H = scorer.hiddenSize;
  let read = 0;
  for (const set of sets) {
    const toPublic = (parts: ScoreParts, tokens: number) =>
      toScore(parts, scorer.objectives, {
        index: read - 1,
        tokens,
        dtype: set.manifest.backbone.dtype,
        model: model.location,
      });
    for await (const { rows, embeddings, promptEmbeddings, responseTokens } of set.pairs()) {
      for (const [i, { id, subset, source, promptHash }] of rows.entries()) {
        if (read++ >= limit) return;
        if (skip(promptHash)) {
          yield { promptHash, skipped: true };
          continue;
        }
        const scoreResponse = scorer.forPrompt(promptEmbeddings.subarray(i * H, (i + 1) * H));
        const response = (r: number) => embeddings.subarray((2 * i + r) * H, (2 * i + r + 1) * H);
        const [chosen, rejected] = [0, 1].map((r) =>
          toPublic(scoreResponse(response(r)), responseTokens?.[2 * i + r] ?? Number.NaN),
        );
        yield { id, source, subset, promptHash, chosen: chosen!, rejected: rejected! };
      }
    }
    yield* rejectedRows(set);
  }
}

/**
 * Scores the responses of embedded best-of-N rows, the first `limit` rows, without a backbone; rows that could not be
 * embedded follow as rejections. The gate runs once per prompt; otherwise {@link scorePairSets}.
 *
 * @throws {InputError} If a set holds another kind, or was embedded with another backbone or another chat than the
 *   model's.
 */
export async function* scoreBestOfNSets(
  model: ScorerDirectory,
  sets: readonly EmbeddingSet[],
  { limit = Number.POSITIVE_INFINITY, skip = () => false }: ScoreSetsOptions = {},
): AsyncGenerator<ScoredEmbeddedBestOfN | RejectedRow | SkippedRow> {
  for (const set of sets) {
    requireKind(set, "best-of-n");
    requireSameBackbone(model, set);
  }
  const { scorer } = model;
  const H = scorer.hiddenSize;
  let read = 0;
  for (const set of sets) {
    const about = { dtype: set.manifest.backbone.dtype, model: model.location };
    for await (const chunk of set.bestOfN()) {
      const { offsets, embeddings, promptEmbeddings, responseTokens } = chunk;
      for (const [i, { id, subset, source, promptHash, finalAnswers = [] }] of chunk.rows.entries()) {
        if (read++ >= limit) return;
        if (skip(promptHash)) {
          yield { promptHash, skipped: true };
          continue;
        }
        const scoreResponse = scorer.forPrompt(promptEmbeddings.subarray(i * H, (i + 1) * H));
        const [first, end] = [offsets[i]!, offsets[i + 1]!];
        const responses = Array.from({ length: end - first }, (_, index): Score => {
          const r = first + index;
          const parts = scoreResponse(embeddings.subarray(r * H, (r + 1) * H));
          return toScore(parts, scorer.objectives, { ...about, index, tokens: responseTokens[r]! });
        });
        const labels = [...chunk.labels.subarray(first, end)];
        yield { id, source, subset, promptHash, responses, labels, finalAnswers };
      }
    }
    yield* rejectedRows(set);
  }
}

/** Sets of earlier versions do not say the subsets of rejected rows. */
const rejectedRows = ({ manifest }: EmbeddingSet): RejectedRow[] =>
  manifest.rejections.map((rejection) => ({ ...rejection, subset: rejection.subset ?? null }));

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
