// Which ids have come before, among more of them than a Set can hold.

import { hash } from "node:crypto";

const FIRST_SLOTS = 2 ** 12;
/** 1 GiB. */
const MOST_SLOTS = 2 ** 27;
const FULLEST = 3 / 4;

/**
 * Says of each id whether an earlier one was equal.
 *
 * 64 bits of each id's SHA-256 are kept: two different ids pass for equal with probability n² / 2⁶⁵ among n, 1 in 3,700 for 100 million.
 * Memory: 11 to 22 bytes per id, half as much again while the table grows, at most 1 GiB. That is full at 100 million ids; later ones are
 * compared with those alone.
 *
 * @param mostSlots A power of two: where the table ends.
 */
export function openRepeatedIds(mostSlots: number = MOST_SLOTS): { isRepeated(id: string): boolean } {
  let slots = Math.min(FIRST_SLOTS, mostSlots);
  let table = new Uint32Array(2 * slots); // Two halves of a hash per slot; the second one 0: free.
  let taken = 0;
  /** The slot of a hash, or the free one where it would go. */
  const find = (high: number, low: number): number => {
    let slot = high & (slots - 1);
    while (table[2 * slot + 1] !== 0 && (table[2 * slot] !== high || table[2 * slot + 1] !== low)) {
      slot = (slot + 1) & (slots - 1);
    }
    return slot;
  };
  const put = (slot: number, high: number, low: number) => {
    table[2 * slot] = high;
    table[2 * slot + 1] = low;
  };
  const grow = () => {
    const old = table;
    slots *= 2;
    table = new Uint32Array(2 * slots);
    for (let i = 0; i < old.length; i += 2) {
      const [high, low] = [old[i]!, old[i + 1]!];
      if (low !== 0) put(find(high, low), high, low);
    }
  };
  return {
    isRepeated(id) {
      const digest = hash("sha256", id, "hex"); // A quarter of the time of bytes.
      const [high, low] = [
        Number.parseInt(digest.slice(0, 8), 16),
        Number.parseInt(digest.slice(8, 16), 16) || 1,
      ];
      if (taken >= FULLEST * slots && slots < mostSlots) grow();
      const slot = find(high, low);
      if (table[2 * slot + 1] !== 0) return true;
      if (taken < FULLEST * slots) {
        put(slot, high, low);
        taken++;
      }
      return false;
    },
  };
}
