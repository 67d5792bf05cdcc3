import type { EmbeddingSet } from "../embedding/embedding-set.ts";
import type { Rejection } from "../embedding/manifest.ts";
import { InputError } from "../errors.ts";
import type { Score } from "../reward-model.ts";
import type { ScorerDirectory } from "./model-directory.ts";
import { type ScoreParts, toScore } from "./score-parts.ts";

/** One embedded preference pair, scored without a backbone. */
export interface ScoredEmbeddedPair {
  readonly id: string | number | null;
  readonly subset: string;
  readonly promptHash: string;
  readonly chosen: Score;
  readonly rejected: Score;
}

/**
 * Scores embedded pairs, the first `limit`, without a backbone; pairs that could not be embedded follow as rejections. Of a score's `tokens` only the difference between the
 * two responses means something: embeddings know the responses' tokens, not the prompt's; imported ones know neither (NaN).
 *
 * @throws {InputError} If a set holds ratings, which have no prompt embedding for the gate, or was embedded with another backbone or another chat than the model's.
 */
export async function* scorePairSets(
  model: ScorerDirectory,
  sets: readonly EmbeddingSet[],
  {
    limit = Number.POSITIVE_INFINITY,
    skip = () => false,
  }: { limit?: number; skip?: (promptHash: string) => boolean } = {},
): AsyncGenerator<ScoredEmbeddedPair | Rejection | { readonly promptHash: string; readonly skipped: true }> {
  for (const set of sets) {
    requirePairs(set);
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
        yield { id, subset: subset ?? source, promptHash, chosen: chosen!, rejected: rejected! };
      }
    }
    yield* set.manifest.rejections;
  }
}

function requirePairs({ directory, manifest }: EmbeddingSet): void {
  if (manifest.kind === "pairs") return;
  throw new InputError(
    "wrong-embedding-kind",
    `${directory}: expected embedded pairs, got ${manifest.kind}, which hold no prompt embedding for the gate`,
    "embed preference pairs with --kind pairs, or score the conversations themselves",
  );
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
