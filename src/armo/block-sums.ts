/*
 * Statistics of consecutive parts of a set, added up along one binary tree.
 *
 * Sums of floating-point numbers depend on their order. Here the order is that of a tree over all parts of the set, whose nodes are
 * blocks [j·2^l, (j + 1)·2^l): whoever has a stretch of the parts adds up the nodes that lie in it and keeps these, at most
 * 2·log2(parts) of them, and whoever has all of them adds up the rest. The same parts give the same bits, however they were shared.
 */

import type { GramProduct } from "../engine/gram.ts";
import { openLabelStatistics, type StatisticsContents } from "./label-statistics.ts";

/** The statistics of parts `[start, end)`, of training and validation side apart, or of folds. */
export interface StatisticsBlock {
  readonly start: number;
  readonly end: number;
  readonly sides: readonly StatisticsContents[];
}

export interface BlockSums {
  /** Adds the block that follows those which are there. @throws {TypeError} where it does not. */
  add(block: StatisticsBlock): Promise<void>;
  /** What is there, in as few blocks of the tree as hold it. */
  blocks(): readonly StatisticsBlock[];
  /** One block of everything. Of use once no part is missing, because no other block can be added to it. */
  total(): Promise<StatisticsBlock | null>;
}

/**
 * Opens empty sums.
 *
 * @param numObjectives K, of the labels. Memory: the statistics of at most 2·log2(parts) + 1 blocks.
 */
export function openBlockSums(gram: GramProduct, numObjectives: number): BlockSums {
  const stack: StatisticsBlock[] = [];

  async function joinLast(): Promise<void> {
    const [a, b] = stack.splice(-2) as [StatisticsBlock, StatisticsBlock];
    const sides: StatisticsContents[] = [];
    for (const [i, side] of a.sides.entries()) {
      const sum = openLabelStatistics(gram, numObjectives);
      await sum.absorb(side);
      await sum.absorb(b.sides[i]!);
      await sum.finish();
      sides.push(sum.contents());
    }
    stack.push({ start: a.start, end: b.end, sides });
  }

  return {
    async add(block) {
      const last = stack.at(-1);
      if (last && last.end !== block.start) {
        throw new TypeError(`add: expected the block from part ${last.end} on, got ${block.start}`);
      }
      stack.push(block);
      while (stack.length > 1 && areHalves(stack.at(-2)!, stack.at(-1)!)) await joinLast();
    },
    blocks: () => stack,
    async total() {
      while (stack.length > 1) await joinLast();
      return stack[0] ?? null;
    },
  };
}

/** Whether two blocks are the halves of a node of the tree. */
function areHalves(a: StatisticsBlock, b: StatisticsBlock): boolean {
  const size = a.end - a.start;
  return b.end - b.start === size && a.start % (2 * size) === 0;
}
