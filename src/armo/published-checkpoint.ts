// ArmoRM checkpoints in the layout of RLHFlow/ArmoRM-Llama3-8B-v0.1: backbone, heads and their sizes in one place.
// K objectives, H hidden size.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { numberField, sizeField } from "../backbone/architectures/config-fields.ts";
import { openCheckpoint } from "../checkpoint/checkpoint.ts";
import type { Tensor } from "../checkpoint/dtypes.ts";
import type { LocatedCheckpoint } from "../checkpoint/location.ts";
import { readTensor } from "../checkpoint/safetensors.ts";
import type { Objective } from "../reward-model.ts";
import { classesOf, type ModelConfig } from "../scoring/model-directory.ts";
import { armoScorer } from "./armo-scorer.ts";
import { headsFromTensors, isHeadTensor, PUBLISHED_OBJECTIVES, requireHeadSizes } from "./heads.ts";
import type { ArmoDirectory } from "./model-directory.ts";
import { type ArmormFields, readArmormFields } from "./published-config.ts";
import { PROMPTS, readTrainingPrompts } from "./training-prompts.ts";

/** `LlamaForRewardModelWithGating`, and the same on another family. */
const PUBLISHED_CLASS = /ForRewardModelWithGating$/;
/** What a configuration leaves out where it has the published class's defaults. */
const DEFAULTS = {
  objectives: PUBLISHED_OBJECTIVES.length,
  temperature: 10,
  hiddenDim: 1024,
  hiddenLayers: 3,
};

export const isPublishedLayout = (config: ModelConfig): boolean =>
  classesOf(config).some((name) => PUBLISHED_CLASS.test(name));

/**
 * Reads the heads of a published checkpoint. The sizes that its configuration names are those of its tensors, or it is refused
 * before anything is read; the official class would refuse it too. One that armorm has exported says more than the official class
 * reads: scales, margin scale, chat settings, and the prompts that training saw.
 *
 * @throws {InputError} `bad-heads`, `malformed-config`; what `openCheckpoint` refuses.
 */
export async function openPublished(
  { directory, name }: LocatedCheckpoint,
  config: ModelConfig,
): Promise<ArmoDirectory> {
  const sizes = {
    objectives: sizeField(config, "num_objectives", DEFAULTS.objectives),
    hiddenSize: sizeField(config, "hidden_size"),
    gatingHiddenDim: sizeField(config, "gating_hidden_dim", DEFAULTS.hiddenDim),
    gatingHiddenLayers:
      config.gating_n_hidden === 0 ? 0 : sizeField(config, "gating_n_hidden", DEFAULTS.hiddenLayers),
  };
  const checkpoint = await openCheckpoint(directory);
  const ranges = [...checkpoint.tensors.values()].filter(({ name }) => isHeadTensor(name));
  requireHeadSizes(new Map(ranges.map((range) => [range.name, range])), sizes, directory);
  const tensors = new Map<string, Tensor>();
  for (const range of ranges) tensors.set(range.name, await readTensor(range));
  const more = readArmormFields(config, sizes.objectives);
  const about = {
    objectives: more?.objectives ?? publishedObjectives(config, sizes.objectives),
    hiddenSize: sizes.hiddenSize,
    temperature: numberField(config, "gating_temperature", DEFAULTS.temperature),
  };
  const heads = { ...headsFromTensors(tensors, about, directory), ...marginScaleOf(more) };
  const seen =
    more !== null && existsSync(join(directory, PROMPTS)) ? await readTrainingPrompts(directory) : null;
  return {
    kind: "armorm",
    location: name,
    heads,
    scorer: armoScorer(heads),
    backbone: { location: name, fingerprint: checkpoint.fingerprint },
    chat: more?.chat ?? null,
    trainingPrompts: seen?.count ?? null,
    trainedOn: seen?.trainedOn ?? null,
  };
}

const marginScaleOf = (more: ArmormFields | null): { marginScale?: number | null } =>
  more === null ? {} : { marginScale: more.marginScale };

// Names stand in id2label if somebody has set them; 19 unnamed objectives are those of the published model.
function publishedObjectives({ id2label }: ModelConfig, count: number): Objective[] {
  const labels = (id2label ?? {}) as Readonly<Record<string, unknown>>;
  return Array.from({ length: count }, (_, k) => {
    const label = labels[k];
    if (typeof label === "string" && label !== "" && !/^LABEL_\d+$/.test(label)) return { name: label };
    return count === PUBLISHED_OBJECTIVES.length ? PUBLISHED_OBJECTIVES[k]! : { name: `objective-${k}` };
  });
}
