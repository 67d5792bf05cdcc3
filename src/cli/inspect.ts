import { existsSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import type { ModelDirectory } from "../armo/model-directory.ts";
import type { Checkpoint } from "../checkpoint/checkpoint.ts";
import { printManifest } from "./embed.ts";
import { fixed, integer, print, printJson, table } from "./output.ts";

interface InspectFlags {
  json?: boolean;
}

export function inspectCommand(): Command {
  return new Command("inspect")
    .description("say what a model, an embedding set or a checkpoint holds")
    .argument(
      "<location>",
      "model directory, embedding set, Hugging Face checkpoint, org/name on the hub, or tiny: the built-in one",
    )
    .option("--json", "print it as JSON")
    .action(run)
    .addHelpText(
      "after",
      `
Examples:
  armorm inspect model
  armorm inspect embedded/ratings --json`,
    );
}

async function run(location: string, flags: InspectFlags): Promise<void> {
  const [
    { download },
    { locateCheckpoint },
    { readManifest },
    { isModelDirectory, openModelDirectory },
    { openCheckpoint },
  ] = await Promise.all([
    import("./downloads.ts"),
    import("../checkpoint/location.ts"),
    import("../embedding/manifest.ts"),
    import("../armo/model-directory.ts"),
    import("../checkpoint/checkpoint.ts"),
  ]);
  const name = await download(location);
  const { directory } = await locateCheckpoint(name);
  if (existsSync(join(directory, "manifest.json"))) {
    const manifest = await readManifest(directory);
    if (flags.json) printJson(manifest);
    else printManifest(manifest, location);
  } else if (await isModelDirectory(directory)) {
    const model = await openModelDirectory(name);
    if (flags.json) printJson(describeModel(model));
    else printModel(model, location);
  } else {
    const checkpoint = await openCheckpoint(directory);
    if (flags.json) printJson(describeCheckpoint(checkpoint));
    else printCheckpoint(checkpoint, location);
  }
}

function describeModel({ heads, backbone, trainingPrompts }: ModelDirectory) {
  const { objectives, hiddenSize, gate, marginScale } = heads;
  return {
    kind: "armorm",
    objectives,
    hiddenSize,
    backbone,
    marginScale,
    gate: {
      temperature: gate.temperature,
      logitScale: gate.logitScale,
      layers: gate.layers.map((l) => l.outputs),
    },
    trainingPrompts,
  };
}

function printModel(model: ModelDirectory, location: string): void {
  const { heads, backbone, trainingPrompts } = model;
  const K = heads.objectives.length;
  print(`${location}: ${K} objectives over a backbone ${heads.hiddenSize} wide (${backbone.location})`);
  const layers = heads.gate.layers.map(({ outputs }) => outputs).join(" → ");
  const scale =
    heads.marginScale === null ? "no margin scale" : `margin scale ${fixed(heads.marginScale, 2)}`;
  const prompts =
    trainingPrompts === null ? "prompts unknown" : `${integer(trainingPrompts)} prompts seen in training`;
  print(`gate ${heads.hiddenSize} → ${layers}, temperature ${heads.gate.temperature}; ${scale}; ${prompts}`);
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
