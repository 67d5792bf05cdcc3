// What all benchmarks have in common: several models, text or embeddings, results kept in a folder, progress.

import { existsSync } from "node:fs";
import { mkdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Command } from "commander";
import type { DataLocation } from "../data/location.ts";
import type { EmbeddingSet } from "../embedding/embedding-set.ts";
import { hashOf } from "../embedding/manifest.ts";
import { InputError } from "../errors.ts";
import type { RewardModel, Steering } from "../reward-model.ts";
import type { ScorerDirectory } from "../scoring/model-directory.ts";
import { dataLocations, withFormatOption } from "./data-options.ts";
import { withDownloads } from "./downloads.ts";
import { EXIT, interruptSignal } from "./failure.ts";
import { parsePositiveInteger, pick } from "./flags.ts";
import { keptResults } from "./kept-results.ts";
import { modelIdentity } from "./model-identity.ts";
import { printJson } from "./output.ts";
import { announceJob, startProgress } from "./progress.ts";
import { openResultFile, type ResultFile } from "./result-file.ts";
import { downloadModel, type ModelFlags, openModel, withOpeningOptions } from "./score.ts";
import { type SteeringFlags, steeringOf, withSteeringOptions } from "./steering-options.ts";

/** Options of every benchmark. */
export interface EvaluationFlags extends Omit<ModelFlags, "model">, SteeringFlags {
  /** Always there, unless known accuracies take its place. */
  model: string[];
  /** A file of known accuracies, of the benchmark that takes one. */
  accuracies?: string;
  data?: string[];
  format?: string;
  embeddings?: string[];
  dropOverlaps?: boolean;
  limit?: number;
  out?: string;
  json?: boolean;
}

/** Flags as they are given, before anything is required of them. */
type GivenFlags = Omit<EvaluationFlags, "model"> & Partial<Pick<EvaluationFlags, "model">>;

/** Adds the options of every benchmark: what a row is, what `--data` takes, and whether rows come in several formats. */
export function withEvaluationOptions(
  command: Command,
  { unit, data, format }: { readonly unit: string; readonly data: string; readonly format: boolean },
): Command {
  command
    .option(
      "--model <location...>",
      "model directory, checkpoint, or org/name on the hub; several stand side by side",
    )
    .option("--data <location...>", data)
    .option("--embeddings <dir...>", `embedded ${unit}: the heads alone run, in seconds`)
    .option("--limit <n>", `only the first n ${unit}`, parsePositiveInteger)
    .option(
      "--out <dir>",
      "folder for every row's scores, the evaluation and a report; the same command continues a run that was stopped",
    )
    .option("--json", "print the evaluation as JSON")
    // Before anything is downloaded.
    .hook("preAction", (_, action) => requireUsage(action.opts<GivenFlags>()));
  return withDownloads(
    withOpeningOptions(withSteeringOptions(format ? withFormatOption(command) : command)),
    downloadModels,
  );
}

async function downloadModels(flags: GivenFlags): Promise<Partial<EvaluationFlags>> {
  const model: string[] = [];
  let { backbone } = flags;
  for (const location of flags.model ?? []) {
    const found = await downloadModel({ ...flags, model: location });
    model.push(found.model ?? location);
    // One backbone for all is what the user named; otherwise each model has its own.
    if (flags.backbone !== undefined) backbone = found.backbone ?? backbone;
  }
  if (model.length === 0) return {};
  return backbone === undefined ? { model } : { model, backbone };
}

/** How far the rows of a run are wanted. */
export interface RowRange {
  readonly limit?: number;
  /** Rows at the beginning that are done. */
  readonly done: number;
  readonly skip: (promptHash: string) => boolean;
  readonly signal: AbortSignal;
  readonly steering?: Steering;
}

/** What one benchmark does. */
export interface EvaluationJob<Row, Collected> {
  /** `evaluate pairs` */
  readonly command: string;
  /** `pairs` */
  readonly unit: string;
  /** What else decides the rows' results. */
  readonly options: object;
  readonly fromText: (
    model: RewardModel,
    locations: readonly DataLocation[],
    range: RowRange,
  ) => AsyncIterable<Row>;
  readonly fromSets: (
    model: ScorerDirectory,
    sets: readonly EmbeddingSet[],
    range: Pick<RowRange, "limit" | "skip" | "steering">,
  ) => AsyncIterable<Row>;
  readonly collect: (
    score: (skip: (promptHash: string) => boolean) => AsyncIterable<Row>,
    directory: ScorerDirectory,
    watch: { readonly signal: AbortSignal; readonly onProgress: (rows: number) => void },
  ) => Promise<Collected>;
}

/** One model's results. */
export interface EvaluatedModel<Collected> {
  /** As it was named. */
  readonly name: string;
  readonly directory: ScorerDirectory;
  readonly steering?: Steering;
  readonly collected: Collected;
}

/** How an evaluation begins: whose it is. */
export const evaluationHead = ({ name, steering }: Pick<EvaluatedModel<unknown>, "name" | "steering">) => ({
  model: name,
  ...(steering ? { steering } : {}),
});

// Loaded by a function of its own: tsc does not rewrite import paths inside a function that says `await using`.
const loadLibrary = () =>
  Promise.all([
    import("../data/describe-file.ts"),
    import("../embedding/embedding-set.ts"),
    import("../opening/open-model-directory.ts"),
    import("../scoring/steering.ts"),
  ]);

/** Runs a benchmark for every model, one after the other. */
export async function evaluateModels<Row, Collected>(
  flags: EvaluationFlags,
  job: EvaluationJob<Row, Collected>,
): Promise<EvaluatedModel<Collected>[]> {
  const [{ describeFile }, { openEmbeddingSet }, { openModelDirectory }, { resolveSteering }] =
    await loadLibrary();
  const steering = steeringOf(flags);
  const steered = steering ? { steering } : {};
  const locations = await dataLocations(flags.data ?? [], flags.format);
  const files = await Promise.all(locations.map(({ path }) => describeFile(path)));
  const sets = await Promise.all((flags.embeddings ?? []).map(openEmbeddingSet));
  const nameless = sets.find((set) => !set.knowsTexts);
  if (nameless && flags.dropOverlaps) {
    throw new InputError(
      "unknown-prompts",
      `${nameless.directory}: expected prompts that can be told by their text, got imported embeddings`,
      "leave --drop-overlaps out: whether training saw them cannot be known",
    );
  }
  const rows = flags.data
    ? files.reduce((sum, file) => sum + file.rows, 0)
    : sets.reduce((sum, set) => sum + set.manifest.rowsIn, 0);
  const total = Math.min(rows, flags.limit ?? rows);
  const data = flags.data
    ? files.map(({ sha256 }, i) => ({ source: locations[i]!.source, sha256 }))
    : sets.map(({ manifest }) => manifest.run);
  const signal = interruptSignal();
  const names = fileNames(flags.model);
  const directories = await Promise.all(
    flags.model.map(async (name) => {
      const found = await openModelDirectory(name);
      return nameless ? { ...found, trainedOn: null } : found;
    }),
  );
  for (const [m, { scorer }] of directories.entries()) {
    if (steering) resolveSteering(steering, scorer.objectives, flags.model[m]);
  }
  const identities = await Promise.all(
    directories.map(async (directory) =>
      hashOf({
        command: job.command,
        model: await modelIdentity(directory, flags),
        data,
        from: flags.data ? "text" : "embeddings",
        options: { ...job.options, ...pick(flags, ["format"]), ...steered },
      }),
    ),
  );
  // A folder of another run is refused before the first model is scored.
  for (const [m, identity] of identities.entries()) {
    await using _ = await openRows(flags.out, names[m]!, identity);
  }
  const evaluated: EvaluatedModel<Collected>[] = [];
  for (const [m, name] of flags.model.entries()) {
    const directory = directories[m]!;
    const own = { ...flags, model: name };
    await using file = await openRows(flags.out, names[m]!, identities[m]!);
    await using model = flags.data ? await openModel(own) : null;
    const rowsFrom = (done: number, skip: (promptHash: string) => boolean): AsyncIterable<Row> => {
      const range = { ...pick(flags, ["limit"]), skip, ...steered };
      return model
        ? job.fromText(model, locations, { ...range, done, signal })
        : skipRows(job.fromSets(directory, sets, range), done);
    };
    const what = flags.model.length === 1 ? "evaluating" : `evaluating ${name}:`;
    const progress = startProgress(what, job.unit);
    const where = flags.out;
    const cost = announceJob(what, job.unit, { done: file?.begun.rows ?? 0, total, where });
    const collected = await job
      .collect(
        (skip) => (file ? keptResults(file, total, (done) => rowsFrom(done, skip)) : rowsFrom(0, skip)),
        directory,
        {
          signal,
          onProgress: (done) => {
            progress.update(done, total);
            cost.measure(done);
          },
        },
      )
      .finally(() => progress.stop());
    evaluated.push({ name, directory, collected, ...steered });
  }
  return evaluated;
}

function requireUsage(flags: GivenFlags): void {
  const { model, data, embeddings, accuracies, limit, out } = flags;
  if (accuracies !== undefined) {
    const others = [model, data, embeddings, limit, out, steeringOf(flags)];
    if (others.every((flag) => flag === undefined)) return;
    throw new InputError(
      "wrong-usage",
      "evaluate: expected --accuracies alone, got a model, data, a folder or steering too",
      "give either known accuracies, or a model and data",
    );
  }
  if (model === undefined) {
    throw new InputError("wrong-usage", "evaluate: expected --model, got none", "name a model, or several");
  }
  if ((data === undefined) === (embeddings === undefined)) {
    throw new InputError(
      "wrong-usage",
      "evaluate: expected one of --data and --embeddings",
      "give exactly one",
    );
  }
  const repeated = model.find((name, i) => model.indexOf(name) !== i);
  if (repeated === undefined) return;
  throw new InputError(
    "wrong-usage",
    `evaluate: expected each model once, got ${repeated} twice`,
    "name it once",
  );
}

async function openRows(out: string | undefined, name: string, identity: string): Promise<ResultFile | null> {
  if (out === undefined) return null;
  await makeFolder(out);
  return openResultFile(join(out, `${name}.jsonl`), identity);
}

async function makeFolder(out: string): Promise<void> {
  try {
    await mkdir(out, { recursive: true });
  } catch (error) {
    throw new InputError(
      "unwritable-file",
      `--out: expected a folder that can be written, got ${out} (${(error as NodeJS.ErrnoException).code})`,
      "name a folder, there or not",
    );
  }
}

/** What the models' files are called: `model` for one at `runs/model/`, `org--name` on the hub; numbered where equal. */
export function fileNames(models: readonly string[]): string[] {
  const short = models.map((name) => {
    const hub = /^[\w.-]+\/[\w.-]+(@.*)?$/.test(name) && !existsSync(name);
    const text = hub
      ? name.replace(/@.*/, "").replace("/", "--")
      : name.replace(/[/\\]+$/, "").replace(/^.*[/\\]/, "");
    return text.replace(/[^\w.-]+/g, "-") || "model";
  });
  const taken = new Set(short.filter((name) => short.indexOf(name) === short.lastIndexOf(name)));
  return short.map((name) => {
    if (short.indexOf(name) === short.lastIndexOf(name)) return name;
    let number = 1;
    while (taken.has(`${name}-${number}`)) number++;
    taken.add(`${name}-${number}`);
    return `${name}-${number}`;
  });
}

async function* skipRows<Row>(rows: AsyncIterable<Row>, count: number): AsyncGenerator<Row> {
  let read = 0;
  for await (const row of rows) if (read++ >= count) yield row;
}

/** What a finished evaluation must say, whatever the benchmark. */
interface Finished {
  readonly rejected: readonly { readonly kind: string }[];
}

/**
 * Prints what has been found, as JSON or for people, and writes it where `--out` asks for it. The exit code says whether
 * rows could not be read.
 */
export async function finishEvaluation(
  { json, out }: EvaluationFlags,
  document: object,
  evaluations: readonly Finished[],
  printAll: () => void,
): Promise<void> {
  if (json) printJson(document);
  else printAll();
  if (out !== undefined) await writeEvaluation(out, document);
  const unread = evaluations.some(({ rejected }) => rejected.some(({ kind }) => kind === "invalid"));
  if (unread) process.exitCode = EXIT.badInput;
}

/** Writes the evaluation as JSON into the folder, whole or not at all. */
async function writeEvaluation(out: string, evaluation: object): Promise<void> {
  const path = join(out, "evaluation.json");
  await writeFile(`${path}.tmp`, `${JSON.stringify(evaluation, null, 1)}\n`, { flush: true });
  await rename(`${path}.tmp`, path);
}
