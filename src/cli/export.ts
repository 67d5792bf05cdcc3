import { Command, InvalidArgumentError, Option } from "commander";
import type { ArmoDirectory } from "../armo/model-directory.ts";
import type { HeadsDtype } from "../armo/published-tensors.ts";
import { InputError } from "../errors.ts";
import { download, withDownloads } from "./downloads.ts";
import { Interrupted, interruptSignal } from "./failure.ts";
import { pick } from "./flags.ts";
import { count, note, print, printJson } from "./output.ts";
import { formatBytes, formatSeconds, startProgress } from "./progress.ts";

interface ExportFlags {
  model?: string;
  merge?: boolean;
  onnx?: string;
  embeddings?: string;
  out?: string;
  backbone?: string;
  shardSize?: number;
  headsDtype?: HeadsDtype;
  json?: boolean;
}

export function exportCommand(): Command {
  const command = new Command("export")
    .description(
      "write a model as one checkpoint in the published layout, its heads as ONNX, or embeddings as the reference keeps them",
    )
    .option(
      "--model <location>",
      "model directory that armorm has written, an ArmoRM checkpoint, or org/name on the hub",
    )
    .option(
      "--merge",
      "backbone and heads as one checkpoint in --out, in the layout of RLHFlow/ArmoRM-Llama3-8B-v0.1",
    )
    .option("--onnx <file>", "the heads alone as one ONNX file: two embeddings in, score and its parts out")
    .option(
      "--embeddings <dir>",
      "an embedding set, as the files of the reference's preparation scripts, into --out",
    )
    .option("--out <dir>", "folder to write")
    .option(
      "--backbone <location>",
      "where the model's backbone lies now, or org/name (default: as the model says)",
    )
    .option("--shard-size <size>", "for --merge: weights per file, as 5GB or 500MB (default: 5GB)", parseSize)
    .addOption(
      new Option(
        "--heads-dtype <type>",
        "for --merge: f32 keeps scores as they are to the last bit, bf16 is how the published checkpoint is stored (default: f32)",
      ).choices(["f32", "bf16"]),
    )
    .option("--json", "print what was written as JSON");
  return withDownloads(command, downloadExported)
    .action(run)
    .addHelpText(
      "after",
      `
A model directory needs no export to be passed on: it holds the heads, and config.json names the backbone.

Examples:
  armorm export --model model --merge --out ArmoRM-mine
  armorm export --model model --onnx heads.onnx
  armorm export --embeddings embedded/pairs --out ~/data/ArmoRM/embeddings/FsfairX-LLaMA3-RM-v0.1`,
    );
}

async function run(flags: ExportFlags): Promise<void> {
  requireOneKind(flags);
  if (flags.embeddings !== undefined) await exportSet(flags.embeddings, flags.out!, flags);
  else if (flags.onnx !== undefined) await exportHeads(await openArmo(flags.model!), flags.onnx, flags);
  else await exportMerged(await openArmo(flags.model!), flags);
}

const KINDS = ["merge", "onnx", "embeddings"] as const;
const NAMES = { merge: "--merge", onnx: "--onnx FILE", embeddings: "--embeddings DIR" } as const;

/** What each kind needs, and what means nothing to it. */
function requireOneKind(flags: ExportFlags): void {
  const given = KINDS.filter((kind) => flags[kind] !== undefined);
  const [kind] = given;
  if (kind === undefined || given.length > 1) {
    const got = kind === undefined ? "none" : given.map((one) => `--${one}`).join(" and ");
    throw new InputError(
      "wrong-usage",
      `export: expected one of ${Object.values(NAMES).join(", ")}, got ${got}`,
      "say what to export; heads over a backbone that stays where it is are a model directory already: pass on the folder",
    );
  }
  const options = {
    merge: { needs: ["model", "out"], takes: ["backbone", "shardSize", "headsDtype"] },
    onnx: { needs: ["model"], takes: [] },
    embeddings: { needs: ["out"], takes: [] },
  } as const;
  const { needs, takes } = options[kind];
  const dashed = (name: string) => `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
  const missing = needs.find((name) => flags[name] === undefined);
  const allowed: readonly string[] = [...needs, ...takes, kind, "json", "debug"];
  const foreign = Object.keys(flags).find((name) => !allowed.includes(name));
  if (missing === undefined && foreign === undefined) return;
  throw new InputError(
    "wrong-usage",
    missing === undefined
      ? `export --${kind}: expected its own options, got ${dashed(foreign!)}`
      : `export --${kind}: expected ${dashed(missing)}, got none`,
    missing === undefined ? `leave ${dashed(foreign!)} out` : `add ${dashed(missing)}`,
  );
}

/** The model, and for a checkpoint the backbone's weights. */
async function downloadExported(flags: ExportFlags): Promise<Partial<ExportFlags>> {
  requireOneKind(flags);
  if (flags.model === undefined) return {};
  const model = await download(flags.model);
  if (!flags.merge) return { model };
  const where = flags.backbone ?? (await openArmo(model)).backbone.location;
  return { model, backbone: await download(where) };
}

async function openArmo(location: string): Promise<ArmoDirectory> {
  const { openModelDirectory } = await import("../opening/open-model-directory.ts");
  const model = await openModelDirectory(location);
  if (model.kind === "armorm") return model;
  throw new InputError(
    "wrong-model",
    `${location}: expected an ArmoRM, got a Bradley–Terry checkpoint`,
    "it is one full checkpoint already: copy its folder",
  );
}

async function exportMerged(model: ArmoDirectory, flags: ExportFlags): Promise<void> {
  const { exportCheckpoint } = await import("../armo/export-checkpoint.ts");
  const started = performance.now();
  const progress = startProgress("writing", "bytes");
  const result = await exportCheckpoint(model, {
    ...pick(flags, ["backbone", "headsDtype"]),
    ...(flags.shardSize === undefined ? {} : { shardBytes: flags.shardSize }),
    out: flags.out!,
    signal: interruptSignal(),
    onPlan: ({ tensors, bytes, files, filesDone, leftOut }) => {
      const begun = filesDone === 0 ? "" : `, ${filesDone} of them there already`;
      note(`writing ${count(tensors, "tensor")}, ${formatBytes(bytes)}, ${count(files, "file")}${begun}`);
      if (leftOut.length > 0) note(`left out, as in the published layout: ${leftOut.join(", ")}`);
    },
    onProgress: (bytes, total) => progress.update(bytes, total),
  })
    .catch((error: unknown) => {
      throw error instanceof Interrupted
        ? new Interrupted(`stopped; the same command continues ${flags.out}`)
        : error;
    })
    .finally(() => progress.stop());
  if (flags.json) {
    printJson({ format: "checkpoint", ...result });
    return;
  }
  const { out, className, headsDtype, tensors, bytes, files, licence } = result;
  print(
    `${out}: ${className}, ${count(tensors, "tensor")} in ${count(files, "file")}, ${formatBytes(bytes)}`,
  );
  print(`heads in ${headsDtype}; the backbone's licence: ${licence ?? "its directory does not name one"}`);
  print("verified: every tensor's name, type and shape, the heads' bytes, and samples of the backbone's");
  note(`written in ${formatSeconds((performance.now() - started) / 1000)}`);
}

async function exportHeads(model: ArmoDirectory, file: string, { json }: ExportFlags): Promise<void> {
  const { writeHeadsFile } = await import("../armo/heads-file.ts");
  const result = await writeHeadsFile(model, file);
  if (json) {
    printJson({ format: "onnx", ...result });
    return;
  }
  print(
    `${file}: ${count(result.objectives, "objective")} over ${result.hiddenSize} numbers, ${formatBytes(result.bytes)}`,
  );
  print(`in: ${result.inputs.join(", ")}; out: ${result.outputs.join(", ")}`);
}

async function exportSet(directory: string, out: string, { json }: ExportFlags): Promise<void> {
  const [{ openEmbeddingSet }, { exportEmbeddings }] = await Promise.all([
    import("../embedding/embedding-set.ts"),
    import("../embedding/export-embeddings.ts"),
  ]);
  const progress = startProgress("writing", "rows");
  const result = await exportEmbeddings(await openEmbeddingSet(directory), out, {
    signal: interruptSignal(),
    onProgress: (rows, total) => progress.update(rows, total),
  }).finally(() => progress.stop());
  if (json) {
    printJson({ format: "reference-embeddings", ...result });
    return;
  }
  const { kind, rows, files, rowsRejected, objectives } = result;
  print(`${count(rows, "row")} of ${kind} in ${count(files.length, "file")}:`);
  for (const file of files) print(`  ${file}`);
  if (objectives.length > 0) print(`columns of the labels: ${objectives.join(", ")}`);
  if (rowsRejected > 0)
    note(`${count(rowsRejected, "row")} of the data could not be embedded: row numbers do not match it`);
}

const UNITS: Readonly<Record<string, number>> = { MB: 1e6, GB: 1e9, MIB: 2 ** 20, GIB: 2 ** 30 };

/** `5GB`, `500MB`, `2GiB` */
function parseSize(text: string): number {
  const [, number, unit] = /^(\d+(?:\.\d+)?)\s*([A-Za-z]+)$/.exec(text.trim()) ?? [];
  const bytes = Math.floor(Number(number) * (UNITS[unit?.toUpperCase() ?? ""] ?? Number.NaN));
  if (!(bytes >= 1)) throw new InvalidArgumentError("expected a size such as 5GB or 500MB");
  return bytes;
}
