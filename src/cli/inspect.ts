import { existsSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import type { ArmoDirectory } from "../armo/model-directory.ts";
import type { Checkpoint } from "../checkpoint/checkpoint.ts";
import type { ModelDirectory } from "../opening/open-model-directory.ts";
import { fixed, integer, print, printJson, table } from "./output.ts";

interface InspectFlags {
  json?: boolean;
  quantization?: string | true;
  chatTemplate?: string;
  against?: string[];
}

export function inspectCommand(): Command {
  return new Command("inspect")
    .description("say what a model, an embedding set or a checkpoint holds")
    .argument(
      "<location>",
      "model directory, embedding set, Hugging Face checkpoint, org/name on the hub, or tiny: the built-in one",
    )
    .option(
      "--quantization [pairs]",
      "what int8 and int4 do to it, on a file of preference pairs (default: made-up ones)",
    )
    .option("--chat-template <file>", "for --quantization: Jinja chat template, for a backbone without one")
    .option(
      "--against <location...>",
      "for embeddings: data or embeddings whose prompts they should not hold",
    )
    .option("--json", "print it as JSON")
    .action(run)
    .addHelpText(
      "after",
      `
Examples:
  armorm inspect model
  armorm inspect embedded/ratings --against rewardbench.jsonl
  armorm inspect ./my-llama --quantization pairs.jsonl`,
    );
}

async function run(location: string, flags: InspectFlags): Promise<void> {
  const [
    { download },
    { locateCheckpoint },
    { isModelDirectory, openModelDirectory },
    { openCheckpoint },
    { CONFIGURATION },
  ] = await Promise.all([
    import("./downloads.ts"),
    import("../checkpoint/location.ts"),
    import("../opening/open-model-directory.ts"),
    import("../checkpoint/checkpoint.ts"),
    import("../armo/training-configuration.ts"),
  ]);
  const name = await download(location);
  const { directory } = await locateCheckpoint(name);
  if (flags.quantization !== undefined) {
    const { inspectQuantization } = await import("./inspect-quantization.ts");
    await inspectQuantization(name, directory, { ...flags, quantization: flags.quantization });
    return;
  }
  if (existsSync(join(directory, "manifest.json"))) {
    const { inspectEmbeddings } = await import("./inspect-embeddings.ts");
    await inspectEmbeddings(location, directory, flags);
  } else if (await isModelDirectory(directory)) {
    const model = await openModelDirectory(name);
    const configuration = existsSync(join(directory, CONFIGURATION)) ? join(directory, CONFIGURATION) : null;
    if (flags.json) printJson({ ...describeModel(model), trainingConfiguration: configuration });
    else if (model.kind === "armorm") printArmo(model, location, configuration);
    else printScalarModel(model, location);
  } else {
    const checkpoint = await openCheckpoint(directory);
    if (flags.json) printJson(describeCheckpoint(checkpoint));
    else printCheckpoint(checkpoint, location);
  }
}

function describeModel(model: ModelDirectory) {
  const { kind, scorer, backbone, trainingPrompts } = model;
  const { objectives, hiddenSize, marginScale } = scorer;
  const about = { kind, objectives, hiddenSize, backbone, marginScale };
  if (kind !== "armorm") return { ...about, trainingPrompts };
  const { temperature, logitScale, layers } = model.heads.gate;
  return {
    ...about,
    gate: { temperature, logitScale, layers: layers.map(({ outputs }) => outputs) },
    trainingPrompts,
  };
}

function printScalarModel({ scorer, backbone }: ModelDirectory, location: string): void {
  const { hiddenSize, marginScale } = scorer;
  print(`${location}: a Bradley–Terry model over a backbone ${hiddenSize} wide (${backbone.location})`);
  print(
    `one score, no gate; P(better) = σ(${marginScale === 1 ? "" : `${marginScale} · `}margin); prompts unknown`,
  );
}

function printArmo(model: ArmoDirectory, location: string, configuration: string | null): void {
  const { heads, backbone, trainingPrompts } = model;
  const K = heads.objectives.length;
  print(`${location}: ${K} objectives over a backbone ${heads.hiddenSize} wide (${backbone.location})`);
  const layers = heads.gate.layers.map(({ outputs }) => outputs).join(" → ");
  const scale =
    heads.marginScale === null ? "no margin scale" : `margin scale ${fixed(heads.marginScale, 2)}`;
  const prompts =
    trainingPrompts === null ? "prompts unknown" : `${integer(trainingPrompts)} prompts seen in training`;
  print(`gate ${heads.hiddenSize} → ${layers}, temperature ${heads.gate.temperature}; ${scale}; ${prompts}`);
  if (configuration) print(`to train it again: armorm train --config ${configuration} --out DIR`);
  const columns = [{ title: "objective" }, { title: "source" }, { title: "rating", align: "right" }] as const;
  const rows = heads.objectives.map(({ name, source, scale: map }) => [
    name,
    source ?? "",
    map ? `reward · ${Number(map.multiply.toFixed(4))} + ${Number(map.add.toFixed(4))}` : "",
  ]);
  print(table(columns, rows));
}

function describeCheckpoint({ config, tensors, fingerprint }: Checkpoint) {
  const list = [...tensors.values()];
  const count = (shape: readonly number[]) => shape.reduce((product, d) => product * d, 1);
  return {
    kind: "checkpoint",
    architectures: config.architectures ?? null,
    modelType: config.model_type ?? null,
    hiddenSize: config.hidden_size ?? null,
    layers: config.num_hidden_layers ?? null,
    parameters: list.reduce((sum, { shape }) => sum + count(shape), 0),
    bytes: list.reduce((sum, { length }) => sum + length, 0),
    dtypes: [...new Set(list.map(({ dtype }) => dtype))],
    fingerprint,
    tensors: list.map(({ name, dtype, shape }) => ({ name, dtype, shape })),
  };
}

function printCheckpoint(checkpoint: Checkpoint, location: string): void {
  const about = describeCheckpoint(checkpoint);
  const size = `${integer(about.parameters)} parameters, ${(about.bytes / 1e6).toFixed(1)} MB of ${about.dtypes.join(", ")}`;
  print(`${location}: ${about.modelType}, hidden size ${about.hiddenSize}, ${about.layers} layers; ${size}`);
  const columns = [{ title: "tensor" }, { title: "dtype" }, { title: "shape", align: "right" }] as const;
  print(
    table(
      columns,
      about.tensors.map(({ name, dtype, shape }) => [name, dtype, `[${shape.join(", ")}]`]),
    ),
  );
}
