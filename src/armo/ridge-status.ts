/**
 * What became of one objective: `ok`, or why it has no weights.
 *
 * - `no-rows`: no training row is rated on it.
 * - `no-validation-rows`: none of the held-out rows is, so no penalty can be chosen. With a single penalty that is `ok`.
 * - `singular`: XᵀX + αI is not positive definite to working precision for any α; only where α is 0 or far too small.
 */
export type RidgeStatus = "ok" | "no-rows" | "no-validation-rows" | "singular";

/**
 * What to know about an objective that has weights.
 *
 * - `constant`: all its training labels are equal, so its reward tells nothing apart.
 * - `ill-conditioned`: at the chosen penalty XᵀX + αI has a condition number of 1e12 or more: the weights have fewer than four
 *   certain digits, though rewards of rows like those trained on may have more.
 */
export type RidgeCaution = "constant" | "ill-conditioned";

const REMEDIES: Readonly<Record<Exclude<RidgeStatus, "ok"> | RidgeCaution, string>> = {
  "no-rows": "no training row is rated on it: add ratings, or leave the objective out",
  "no-validation-rows":
    "no held-out row is rated on it: add ratings of other prompts, hold more prompts out, or give a single α",
  singular: "its equations have no stable solution at any α: add larger penalties",
  constant: "all its ratings are equal: leave it out, or add ratings that differ",
  "ill-conditioned": "its weights have few certain digits: leave the smallest penalties out",
};

/** What to do about a status or a caution, in one line; null for `ok` and for no caution. */
export const remedyFor = (status: RidgeStatus | RidgeCaution | null): string | null =>
  status === null || status === "ok" ? null : REMEDIES[status];
