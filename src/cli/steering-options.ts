// Options that give a model another mixture, for every command that scores.

import { type Command, InvalidArgumentError, Option } from "commander";
import type { Steering } from "../reward-model.ts";
import { parseList } from "./flags.ts";

export interface SteeringFlags {
  weights?: Readonly<Record<string, number>>;
  scale?: Readonly<Record<string, number>>;
  without?: readonly string[];
}

/** Adds `--weights`, `--scale` and `--without`; each may be given several times. */
export function withSteeringOptions(command: Command): Command {
  return command
    .addOption(
      new Option(
        "--weights <objective=x,...>",
        "steering: these weights for every prompt in place of the gate's; others get 0",
      ).argParser(addNumbers),
    )
    .addOption(
      new Option("--scale <objective=x,...>", "steering: multiply objectives' weights").argParser(addNumbers),
    )
    .addOption(
      new Option("--without <objective,...>", "steering: objectives that weigh nothing").argParser(addNames),
    );
}

/** The steering that the options ask for, in one order whatever theirs; undefined where they ask for none. */
export function steeringOf({ weights, scale, without }: SteeringFlags): Steering | undefined {
  if (!weights && !scale && !without) return undefined;
  const sorted = (values: Readonly<Record<string, number>>) =>
    Object.fromEntries(Object.entries(values).sort(([a], [b]) => (a < b ? -1 : 1)));
  return {
    ...(weights ? { weights: sorted(weights) } : {}),
    ...(scale ? { scale: sorted(scale) } : {}),
    ...(without ? { without: [...without].sort() } : {}),
  };
}

/**
 * The same, checked against the model before anything expensive begins.
 *
 * @throws {InputError} What `resolveSteering` refuses.
 */
export async function steeringFor(flags: SteeringFlags & { readonly model: string }) {
  const steering = steeringOf(flags);
  if (!steering) return undefined;
  const [{ openModelDirectory }, { resolveSteering }] = await Promise.all([
    import("../opening/open-model-directory.ts"),
    import("../scoring/steering.ts"),
  ]);
  const { scorer } = await openModelDirectory(flags.model);
  resolveSteering(steering, scorer.objectives, flags.model);
  return steering;
}

function addNumbers(text: string, before: Readonly<Record<string, number>> = {}): Record<string, number> {
  const parts = text.split(",").map((part): [string, number] => {
    const at = part.lastIndexOf("=");
    const [name, number] = [part.slice(0, at).trim(), part.slice(at + 1).trim()];
    if (at < 0 || name === "" || number === "" || !Number.isFinite(Number(number))) {
      throw new InvalidArgumentError(`expected objective=number, as in helpfulness=2, got "${part.trim()}"`);
    }
    return [name, Number(number)];
  });
  const all = [...Object.entries(before), ...parts];
  requireOnce(all.map(([name]) => name));
  return Object.fromEntries(all);
}

function addNames(text: string, before: readonly string[] = []): string[] {
  const all = [...before, ...parseList(text)];
  requireOnce(all);
  return all;
}

function requireOnce(names: readonly string[]): void {
  const repeated = names.find((name, i) => names.indexOf(name) !== i);
  if (repeated !== undefined)
    throw new InvalidArgumentError(`expected each objective once, got ${repeated} twice`);
}
