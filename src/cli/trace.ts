// `--trace`: how the score runs along a response, for people.

import { type Command, InvalidArgumentError, Option } from "commander";
import pc from "picocolors";
import { InputError } from "../errors.ts";
import type { ByObjective, RunningScore, Score, TraceUnit } from "../reward-model.ts";
import { signed } from "../scoring/explanation.ts";
import { fixed, print, shorten, visible } from "./output.ts";

export interface TraceFlags {
  trace?: TraceUnit;
}

export function withTraceOption(command: Command): Command {
  return command.addOption(
    new Option("--trace [unit]", "follow the score along each response, by sentence or by token")
      .preset("sentence")
      .argParser(parseUnit),
  );
}

function parseUnit(value: string): TraceUnit {
  if (value === "sentence" || value === "token") return value;
  throw new InvalidArgumentError(
    "Expected sentence or token; a file goes before --trace, or after --trace=sentence.",
  );
}

/** What `score` takes of these flags. */
export const traceOptions = ({ trace }: TraceFlags): TraceFlags => (trace === undefined ? {} : { trace });

/** @throws {InputError} `wrong-usage` where nothing reads the responses step by step. */
export function refuseTrace({ trace }: TraceFlags, beside: string, why: string): void {
  if (trace === undefined) return;
  throw new InputError(
    "wrong-usage",
    `--trace: expected conversations to score, got ${beside}: ${why}`,
    `leave out --trace, or ${beside}`,
  );
}

/** Objectives named for one step: those whose change moves the score most. */
const NAMED: Record<TraceUnit, number> = { sentence: 3, token: 2 };
const SENTENCE_WIDTH = 76;
const TOKEN_WIDTH = 20;

/**
 * The running score before the response and after each step, as a line, then step by step with what moved it.
 *
 * The gate stays the same along a response, so a step's change of the score is the sum over objectives of coefficient · change of the
 * reward; these are what is named.
 */
export function printTrace({ trace, coefficients }: Pick<Score, "trace" | "coefficients">, name = ""): void {
  if (!trace) return;
  const { unit, start, steps } = trace;
  const marks = sparkline([start, ...steps].map(({ score }) => score));
  const count = `${steps.length - 1} ${unit}${steps.length === 2 ? "" : "s"}`;
  print(`  ${pc.dim(`${name}along the response, ${count}:`)} ${fold(marks, 60)}`);
  print(pc.dim(`  ${number(start.score)}  ${marks[0]}          before the response`));
  let before: RunningScore = start;
  for (const [i, step] of steps.entries()) {
    const change = signed(step.score - before.score, 4);
    const colour = step.score < before.score ? pc.red : pc.green;
    const head = `  ${number(step.score)}  ${marks[i + 1]} ${colour(change)}`;
    const moved = movedMost(before.rewards, step.rewards, coefficients, NAMED[unit]);
    const end = i === steps.length - 1;
    const text = end ? pc.dim("(end of the turn)") : readable(step.text, unit);
    if (unit === "token") print(`${head}  ${pad(text, TOKEN_WIDTH, end)}  ${pc.dim(moved)}`.trimEnd());
    else {
      print(`${head}  ${text}`);
      if (moved !== "") print(pc.dim(`                      ${moved}`));
    }
    before = step;
  }
}

/** `safety −0.1200, verbosity +0.0300`; nothing for a model of one objective, whose change stands before the text. */
function movedMost(before: ByObjective, after: ByObjective, coefficients: ByObjective, most: number): string {
  const changes = Object.entries(after).map(([name, reward]): [string, number] => [
    name,
    coefficients[name]! * (reward - before[name]!),
  ]);
  if (changes.length === 1) return "";
  return changes
    .sort(([, a], [, b]) => Math.abs(b) - Math.abs(a))
    .slice(0, most)
    .filter(([, change]) => Math.abs(change) >= 0.00005)
    .map(([name, change]) => `${name} ${signed(change, 4)}`)
    .join(", ");
}

/** A sentence on one line; a token between quotes, with its spaces and line breaks. */
function readable(text: string, unit: TraceUnit): string {
  if (unit === "sentence") return shorten(text, SENTENCE_WIDTH);
  // Part of a character: the token that completes it shows it.
  if (text === "") return "·";
  const spelt = visible(text.replaceAll("\n", "⏎").replaceAll("\t", "⇥"));
  const whole = spelt.length <= TOKEN_WIDTH - 2 ? spelt : `${spelt.slice(0, TOKEN_WIDTH - 3)}…`;
  return `“${whole}”`;
}

const pad = (text: string, width: number, dimmed: boolean): string =>
  dimmed ? text : text + " ".repeat(Math.max(0, width - [...text].length));

const number = (value: number): string => fixed(value, 4).replace("-", "−").padStart(8);

const BLOCKS = [..."▁▂▃▄▅▆▇█"];

/** A block per number, from the lowest to the highest of them. */
function sparkline(values: readonly number[]): string[] {
  const lowest = values.reduce((low, value) => Math.min(low, value), Number.POSITIVE_INFINITY);
  const highest = values.reduce((high, value) => Math.max(high, value), Number.NEGATIVE_INFINITY);
  const range = highest - lowest || 1;
  return values.map((value) => BLOCKS[Math.round(((value - lowest) / range) * (BLOCKS.length - 1))]!);
}

/** At most so many marks; of a longer line every n-th, and the last. */
function fold(marks: readonly string[], most: number): string {
  const every = Math.ceil(marks.length / most);
  return marks.filter((_, i) => i % every === 0 || i === marks.length - 1).join("");
}
