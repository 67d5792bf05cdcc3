import { Command, Option } from "commander";
import type { ImportedObjective } from "../embedding/import-embeddings.ts";
import type { EmbeddingManifest } from "../embedding/manifest.ts";
import { type ChatFlags, chatOptions } from "./backbone-options.ts";
import { download } from "./downloads.ts";
import { printManifest } from "./embed.ts";
import { EXIT, interruptSignal } from "./failure.ts";
import { parseIds, parseList } from "./flags.ts";
import { count, integer, note, printJson } from "./output.ts";
import { formatBytes, startProgress } from "./progress.ts";

interface ImportFlags extends ChatFlags {
  backbone: string;
  out: string;
  objectives?: string[];
  json?: boolean;
}

export function importCommand(): Command {
  return new Command("import")
    .description("make an embedding set of the files that the reference's preparation scripts have written")
    .argument("<files...>", "one safetensors file, all files of a series, or the folder that holds them")
    .requiredOption(
      "--backbone <location>",
      "the backbone that made them, which they do not say: directory, or org/name on the hub",
    )
    .requiredOption("--out <dir>", "folder for the embeddings: empty, or this same import begun")
    .option(
      "--objectives <names>",
      "the columns of the labels in order, with commas between them; published: the 19 of the published model",
      parseList,
    )
    .option("--chat-template <file>", "Jinja chat template, for a backbone without one")
    .option("--gating-pattern <ids>", "token ids whose last occurrence begins at the gating token", parseIds)
    .addOption(new Option("--bos <when>", "whether conversations began with BOS").choices(["on", "off"]))
    .option(
      "--compat",
      "score later with special tokens inside messages acting, as they did when the files were made",
    )
    .option("--json", "print the manifest as JSON")
    .action(run)
    .addHelpText(
      "after",
      `
Examples:
  armorm import ArmoRM-Multi-Objective-Data-v0.1-*.safetensors --objectives published --backbone sfairXC/FsfairX-LLaMA3-RM-v0.1 --out embedded/ratings
  armorm import pair_data_v2_80K_wsafety-train.safetensors --backbone sfairXC/FsfairX-LLaMA3-RM-v0.1 --out embedded/pairs`,
    );
}

async function run(files: readonly string[], flags: ImportFlags): Promise<void> {
  const { importEmbeddings } = await import("../embedding/import-embeddings.ts");
  const { openReferenceFiles } = await import("../embedding/reference-files.ts");
  const { out } = flags;
  // Wrong files are worth knowing before a backbone is downloaded.
  await openReferenceFiles(files);
  const objectives = await objectivesOf(flags.objectives);
  const progress = startProgress("importing", "rows");
  const manifest = await importEmbeddings({
    ...(await chatOptions(flags)),
    ...{ files, out, backbone: await download(flags.backbone), signal: interruptSignal() },
    ...(objectives ? { objectives } : {}),
    onPlan: ({ rows, bytes, dtype }) =>
      note(`importing ${count(rows, "row")}, ${formatBytes(bytes)}, hidden states of ${dtype}`),
    onProgress: (done, total) => progress.update(done, total),
    onNote: note,
  }).finally(() => progress.stop());
  if (flags.json) printJson(manifest);
  else printManifest(manifest, out);
  for (const line of unknowns(manifest, objectives ?? [])) note(line);
  if (manifest.rejections.length > 0) process.exitCode = EXIT.badInput;
}

async function objectivesOf(
  names: readonly string[] | undefined,
): Promise<readonly ImportedObjective[] | undefined> {
  if (names?.length !== 1 || names[0] !== "published") return names?.map((name) => ({ name }));
  return (await import("../armo/heads.ts")).PUBLISHED_OBJECTIVES;
}

/** What the files did not hold, and what follows from it. */
function unknowns(
  { kind, backbone, imported, objectives }: EmbeddingManifest,
  named: readonly ImportedObjective[],
): string[] {
  const differences = imported?.promptDifferences ?? null;
  const unrated = named.filter(({ name }) => !objectives.some((objective) => objective.name === name));
  const rounding =
    differences === null || differences.rows === 0
      ? []
      : [
          `${integer(differences.rows)} pairs have two prompt embeddings that differ in rounding, by at most ${(100 * differences.largest).toFixed(2)} %; the chosen response's is kept`,
        ];
  return [
    ...(unrated.length === 0
      ? []
      : [`no labels at all, left out: ${unrated.map(({ name }) => name).join(", ")}`]),
    ...rounding,
    `that ${backbone.location} made them is taken on trust: only the width was checked`,
    "lengths of responses are unknown: no objective length, no length baselines; debias against a rated one, such as verbosity",
    kind === "pairs"
      ? "prompts are known by their embeddings: equal ones stay on one side of splits, overlaps with texts cannot be counted"
      : "prompts are unknown: splits are by conversation, and overlaps cannot be counted",
  ];
}
