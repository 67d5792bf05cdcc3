// What training asks of the embedding sets before it begins.

import type { EmbeddingSet } from "../embedding/embedding-set.ts";
import { InputError } from "../errors.ts";
import type { TrainOptions } from "./train.ts";

/** As much of a set as is asked here, whether its embeddings are at hand or not. */
export type SetIdentity = Pick<EmbeddingSet, "directory" | "manifest">;

/** @throws {InputError} If a set is missing, of another kind, or from another backbone, or an option has no meaning. */
export function requireSets(
  { ratings = [], statistics, pairs, reference = [], evaluation = [], seedSensitivity = 0 }: TrainOptions,
  validationFraction: number,
): void {
  if (!(validationFraction > 0)) {
    throw new InputError(
      "bad-option",
      `train: expected a validation fraction above 0, got ${validationFraction}`,
      "keep some prompts to choose penalties and to stop the gate: 0.2",
    );
  }
  if (!(Number.isInteger(seedSensitivity) && seedSensitivity >= 0)) {
    throw new InputError(
      "bad-option",
      `train: expected a whole number of further seeds, got ${seedSensitivity}`,
      "name how many more gates to train, or leave seedSensitivity out",
    );
  }
  if (statistics && ratings.length > 0) {
    throw new InputError(
      "bad-option",
      "train: expected sets of ratings or statistics of them, got both",
      "leave one of them out: statistics stand for all ratings",
    );
  }
  const rated = statistics?.sets ?? ratings;
  for (const [what, sets] of Object.entries({ ratings: rated, pairs })) {
    if (sets.length > 0) continue;
    throw new InputError(
      "missing-data",
      `train: expected at least one set of ${what}, got none`,
      `embed ${what} first`,
    );
  }
  for (const set of ratings) set.expect("ratings");
  for (const set of pairs) set.expect("pairs");
  for (const set of reference) set.expect("ratings", "pairs");
  requireOneBackbone([...rated, ...pairs, ...reference]);
  requireSamePrompts([...rated, ...pairs, ...reference], evaluation);
}

/** Overlaps are counted by prompt hash: hashes of one thing. */
export function requireSamePrompts(sets: readonly SetIdentity[], evaluation: readonly SetIdentity[]): void {
  const hashesOf = ({ manifest }: SetIdentity) => manifest.imported?.promptHashes ?? "texts";
  for (const other of evaluation) {
    const set = sets.find((one) => hashesOf(one) !== hashesOf(other));
    if (set === undefined) continue;
    throw new InputError(
      "unknown-prompts",
      `${other.directory}: expected prompts known by their ${hashesOf(set)} as in ${set.directory}, got ${hashesOf(other)}`,
      "leave --evaluation out: which prompts they share cannot be counted",
    );
  }
}

/** @throws {InputError} `wrong-backbone` */
export function requireOneBackbone(sets: readonly SetIdentity[]): void {
  const [first] = sets;
  for (const set of sets) {
    const [a, b] = [first!.manifest, set.manifest];
    const same =
      a.backbone.fingerprint === b.backbone.fingerprint && a.chat.fingerprint === b.chat.fingerprint;
    if (same && a.backbone.dtype !== b.backbone.dtype) {
      throw new InputError(
        "wrong-backbone",
        `${set.directory}: expected states in ${a.backbone.dtype} as in ${first!.directory}, got ${b.backbone.dtype}`,
        "embed all sets with one --dtype: heads would learn the difference",
      );
    }
    if (same) continue;
    throw new InputError(
      "wrong-backbone",
      `${set.directory}: expected the backbone and chat of ${first!.directory}, got ${b.backbone.location} embedded otherwise`,
      "embed all sets with one backbone and the same chat options",
    );
  }
}
