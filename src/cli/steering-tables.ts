// What steering has done, in words and tables.

import pc from "picocolors";
import type { Steered, SteeringEffect, UnsteeredFigures } from "../evaluation/steering-effect.ts";
import type { ByObjective, Steering } from "../reward-model.ts";
import type { RankingChange } from "../scoring/ranking.ts";
import { describeSteering } from "../scoring/steering.ts";
import { fixed, integer, percent, print, table } from "./output.ts";

const signed = (value: number, digits = 4): string => `${value < 0 ? "" : "+"}${fixed(value, digits)}`;

/** Objectives that are named; the others stand in one sum. */
const NAMED = 4;

/** `safety +0.0310, verbosity -0.0100, 3 more +0.0010` */
export function movedText(moved: ByObjective): string {
  const all = Object.entries(moved)
    .filter(([, value]) => value !== 0)
    .sort(([, a], [, b]) => Math.abs(b) - Math.abs(a));
  const rest = all.slice(NAMED);
  const texts = all.slice(0, NAMED).map(([name, value]) => `${name} ${signed(value)}`);
  if (rest.length > 0) {
    const sum = rest.reduce((total, [, value]) => total + value, 0);
    texts.push(`${integer(rest.length)} more ${signed(sum)}`);
  }
  return texts.join(", ");
}

/** Why one ranking is another one under steering. @param nameOf What a response is called. */
export function turnedText(
  { place, now, before, moved, contributions }: RankingChange,
  steering: Steering,
  nameOf: (index: number) => string,
): string {
  const [a, b] = [nameOf(now), nameOf(before)];
  const was = place === 0 ? "first" : `in place ${place + 1}`;
  return `steering turned the ranking: ${b} was ${was}; ${describeSteering(steering)} moved ${a} − ${b} by ${signed(moved)}: ${movedText(contributions)}`;
}

/** Counts the rankings that steering turns over, as rows go by. */
export function countTurned(unit: string) {
  let [rankings, changed, first] = [0, 0, 0];
  const sums = new Map<string, number>();
  return {
    add(change: RankingChange | null): void {
      rankings++;
      if (!change) return;
      changed++;
      if (change.place === 0) first++;
      for (const [name, value] of Object.entries(change.contributions))
        sums.set(name, (sums.get(name) ?? 0) + value);
    },
    /** For people. */
    text(): string {
      const line = `steering changed ${integer(changed)} of ${integer(rankings)} ${unit}`;
      if (changed === 0) return line;
      const means = Object.fromEntries([...sums].map(([name, sum]) => [name, sum / changed]));
      return `${line}, ${integer(first)} of them in the first place; what moved them, on average: ${movedText(means)}`;
    },
  };
}

/** An evaluation under steering beside the same rows without. @param unit What a row is. @param graded Whether outcomes are grades. */
export function printSteeringEffect(
  evaluation: Omit<UnsteeredFigures, "interval" | "scoreWithPriorSets"> & Steered,
  unit = "pairs",
  graded = false,
): void {
  const { steering, steeringEffect: effect } = evaluation;
  if (!effect) return;
  const show = graded ? (value: number | null | undefined) => fixed(value) : percent;
  print();
  if (steering) print(`${pc.bold("steering")}  ${describeSteering(steering) || "nothing"}`);
  print(changedText(effect, unit));
  const changeOf = (steered: number, before: number | undefined) =>
    before === undefined ? "–" : graded ? signed(steered - before, 3) : signed(100 * (steered - before), 1);
  const { unsteered } = effect;
  const rows = [
    ["score", evaluation.score, unsteered.score] as const,
    ...Object.entries(evaluation.sections).map(
      ([name, value]) => [name, value, unsteered.sections[name]] as const,
    ),
    ...Object.entries(evaluation.subsets).map(
      ([name, { accuracy }]) => [name, accuracy, unsteered.subsets[name]?.accuracy] as const,
    ),
  ].filter(([, steered]) => !Number.isNaN(steered));
  const right = (title: string) => ({ title, align: "right" as const });
  print(
    table(
      [{ title: "" }, right("unsteered"), right("steered"), right(graded ? "change" : "points")],
      // A single subset is the whole.
      (Object.keys(evaluation.subsets).length > 1 ? rows : rows.slice(0, 1)).map(
        ([name, steered, before]) => [name, show(before), show(steered), changeOf(steered, before)],
      ),
    ),
  );
}

function changedText(effect: SteeringEffect, unit: string): string {
  const { n, changed, better, worse, alike, moved, pValue } = effect;
  const line = `${integer(changed)} of ${integer(n)} ${unit === "pairs" ? "rankings" : "picks"} changed`;
  if (changed === 0) return line;
  const same = alike > 0 ? `, ${integer(alike)} for one as good` : "";
  const p = pValue < 0.0001 ? "< 0.0001" : pValue.toFixed(4);
  return `${line}: ${integer(better)} for the better, ${integer(worse)} for the worse${same} (McNemar's exact test p ${p})
what moved them, on average: ${movedText(moved)}`;
}
