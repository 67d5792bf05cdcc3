// What becomes of hidden states that are not finite: the call fails, or they are told apart from those of the same run.

/** So many sequences and none finite: the engine or its weights are broken, not single rows. */
const MOST_SPOILT = 256;

/** Looks at the states of a run: those of its members, in order, computed again where that may help. */
export type LookAtStates = <Member>(
  members: readonly Member[],
  states: readonly Float32Array[],
  refusal: () => Error,
  again: (member: Member) => Promise<Float32Array>,
) => Promise<readonly Float32Array[]>;

/**
 * Begins to look at the runs of a call.
 *
 * In one run a sequence may spoil others, whose attention reads its values with weight 0. So where `keep` is true, a sequence that is
 * not finite is computed once more, alone, and what comes then stays, finite or not.
 *
 * @returns Throws the refusal at states that are not finite; where `keep` is true, only once {@link MOST_SPOILT} sequences were
 *   not, and none was finite.
 */
export function lookForFinite(keep: boolean): LookAtStates {
  let [finite, spoilt] = [0, 0];
  return async (members, states, refusal, again) => {
    const kept = [...states];
    for (const [i, member] of members.entries()) {
      if (areFinite(kept[i]!)) {
        finite += 1;
        continue;
      }
      if (!keep) throw refusal();
      if (members.length > 1) kept[i] = await again(member);
      if (areFinite(kept[i]!)) finite += 1;
      else spoilt += 1;
      if (finite === 0 && spoilt >= MOST_SPOILT) throw refusal();
    }
    return kept;
  };
}

export const areFinite = (states: Float32Array): boolean => states.every(Number.isFinite);
