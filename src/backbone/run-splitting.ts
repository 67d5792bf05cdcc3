// A run that does not fit in memory is split, so that it is slower and not lost.

import { isOutOfMemory } from "../engine/out-of-memory.ts";
import { InputError } from "../errors.ts";

/**
 * Computes the members of a run together; where memory runs out, half of them after the other, and so on.
 *
 * @param compute One result per member, in order; a result must not depend on the other members.
 * @param tokensOf The tokens of a member, for the error.
 * @throws {InputError} `out-of-memory` when a single member does not fit. Other errors as they are.
 */
export async function computeOrSplit<Member, Result>(
  members: readonly Member[],
  compute: (members: readonly Member[]) => Promise<Result[]>,
  tokensOf: (member: Member) => number,
): Promise<Result[]> {
  try {
    return await compute(members);
  } catch (error) {
    if (!isOutOfMemory(error)) throw error;
    if (members.length === 1) {
      throw new InputError(
        "out-of-memory",
        `hiddenStates: expected memory for a sequence of ${tokensOf(members[0]!)} tokens, got too little`,
        "shorten the conversation, compute in int8, or use a machine with more memory",
      );
    }
  }
  const half = Math.ceil(members.length / 2);
  const first = await computeOrSplit(members.slice(0, half), compute, tokensOf);
  return [...first, ...(await computeOrSplit(members.slice(half), compute, tokensOf))];
}
