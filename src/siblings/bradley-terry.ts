// The Bradley–Terry reward model: a scalar head on the last token's hidden state. H hidden size.

import { sizeField } from "../backbone/architectures/config-fields.ts";
import { openCheckpoint } from "../checkpoint/checkpoint.ts";
import { isFloatDtype, type Tensor, toFloat32 } from "../checkpoint/dtypes.ts";
import type { LocatedCheckpoint } from "../checkpoint/location.ts";
import { readTensor } from "../checkpoint/safetensors.ts";
import type { TensorRange } from "../checkpoint/safetensors-header.ts";
import { InputError } from "../errors.ts";
import type { Objective } from "../reward-model.ts";
import { classesOf, type ModelConfig, type ScorerDirectory } from "../scoring/model-directory.ts";
import { hashTensors, type Scorer } from "../scoring/scorer.ts";

/** A Bradley–Terry checkpoint, read: everything but the backbone. */
export interface BradleyTerryDirectory extends ScorerDirectory {
  readonly kind: "bradley-terry";
}

/** Its only objective: the reward itself. */
const OBJECTIVES: readonly Objective[] = [{ name: "reward" }];
const WEIGHT = "score.weight";
const BIAS = "score.bias";

/** Whether a configuration names a classification class: transformers' home for scalar heads. */
export const isBradleyTerryConfig = (config: ModelConfig): boolean =>
  classesOf(config).some((name) => name.endsWith("ForSequenceClassification"));

/**
 * Reads a Bradley–Terry checkpoint (`…ForSequenceClassification`, one label): backbone and head together.
 *
 * score = w · h + b, h the hidden state of the last token; P(chosen ≻ rejected) = σ(margin), as the loss softplus(−margin)
 * says, so the margin scale is 1. transformers looks for the last token that is not padding; here there is no padding.
 *
 * @throws {InputError} `unsupported-model` for more or fewer labels than one, by their number; `bad-heads` for a head that is
 *   missing, misshapen, of no float dtype, or not finite; what `openCheckpoint` refuses.
 */
export async function openBradleyTerry(
  { directory, name }: LocatedCheckpoint,
  config: ModelConfig,
): Promise<BradleyTerryDirectory> {
  const { tensors, fingerprint } = await openCheckpoint(directory);
  const H = sizeField(config, "hidden_size");
  requireOneLabel(directory, config, tensors.get(WEIGHT));
  const head = new Map<string, Tensor>();
  head.set(WEIGHT, await readFinite(directory, tensors, WEIGHT, [1, H]));
  if (tensors.has(BIAS)) head.set(BIAS, await readFinite(directory, tensors, BIAS, [1]));
  return {
    kind: "bradley-terry",
    location: name,
    scorer: bradleyTerryScorer(head),
    backbone: { location: name, fingerprint },
    chat: null,
    trainingPrompts: null,
    trainedOn: null,
  };
}

function bradleyTerryScorer(head: ReadonlyMap<string, Tensor>): Scorer {
  const weight = toFloat32(head.get(WEIGHT)!); // w [H]
  const bias = head.has(BIAS) ? toFloat32(head.get(BIAS)!)[0]! : 0; // b
  const one = Float64Array.of(1);
  const scoreEmbedding = (embedding: Float32Array) => {
    let score = bias;
    for (let h = 0; h < weight.length; h++) score += weight[h]! * embedding[h]!; // w · h + b, in f64
    const reward = Float64Array.of(score);
    return {
      score,
      rewards: reward,
      adjustedRewards: reward,
      gatingOutput: one,
      coefficients: one,
      contributions: reward,
    };
  };
  return {
    objectives: OBJECTIVES,
    hiddenSize: weight.length,
    marginScale: 1,
    transform: null,
    gated: false,
    forPrompt: () => scoreEmbedding,
    identity: () => ({ head: hashTensors(head) }),
  };
}

function requireOneLabel(directory: string, config: ModelConfig, weight: TensorRange | undefined): void {
  const { num_labels: count, id2label } = config;
  const named = typeof id2label === "object" && id2label !== null ? Object.keys(id2label).length : undefined;
  const labels = weight?.shape.length === 2 ? weight.shape[0] : (count ?? named ?? 1);
  if (labels === 1) return;
  throw new InputError(
    "unsupported-model",
    `${directory}: expected a classification head with 1 label, the reward, got ${labels} labels`,
    "a classifier, or a model of several rewards, gives no single score: use a checkpoint trained as a reward model",
  );
}

async function readFinite(
  directory: string,
  tensors: ReadonlyMap<string, TensorRange>,
  name: string,
  shape: readonly number[],
): Promise<Tensor> {
  const range = tensors.get(name);
  if (!range) throw badHead(directory, `a tensor ${name} [${shape.join(", ")}]`, "none");
  if (range.shape.join() !== shape.join()) {
    throw badHead(directory, `${name} [${shape.join(", ")}]`, `[${range.shape.join(", ")}]`);
  }
  if (!isFloatDtype(range.dtype)) throw badHead(directory, `${name} in a float type`, range.dtype);
  const tensor = await readTensor(range);
  if (!toFloat32(tensor).every(Number.isFinite))
    throw badHead(directory, `finite numbers in ${name}`, "NaN or infinity");
  return tensor;
}

function badHead(directory: string, expected: string, got: string): InputError {
  return new InputError(
    "bad-heads",
    `${directory}: expected ${expected}, got ${got}`,
    "config.json and tensors do not belong together, or the head was never trained: download the checkpoint again",
  );
}
