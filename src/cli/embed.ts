import { Command, Option } from "commander";
import type { OverlongPolicy } from "../chat/overlong.ts";
import type { EmbeddingKind, EmbeddingManifest } from "../embedding/manifest.ts";
import { parseShard, type Shard, shardParts, showShard, WHOLE } from "../embedding/shard.ts";
import { type BackboneFlags, openForFlags, withBackboneOptions } from "./backbone-options.ts";
import { dataLocations, declaredScales, withFormatOption, withScaleOption } from "./data-options.ts";
import { download, withDownloads } from "./downloads.ts";
import { describeTiming, timingFields, watchEmbedding } from "./embedding-progress.ts";
import { EXIT, Interrupted, interruptSignal } from "./failure.ts";
import { parseList, parsePositiveInteger, pick } from "./flags.ts";
import { count, integer, note, print, printJson, table } from "./output.ts";
import { shellWords } from "./shell-words.ts";

interface EmbedFlags extends BackboneFlags {
  backbone: string;
  data: string[];
  out: string;
  kind?: EmbeddingKind;
  objectives?: string[];
  format?: string;
  scale?: string[];
  partRows?: number;
  maxTokens?: number;
  overlong: OverlongPolicy;
  limit?: number;
  strict?: boolean;
  shard?: string;
  json?: boolean;
}

export function embedCommand(): Command {
  const command = new Command("embed")
    .description("turn rated conversations, preference pairs or best-of-N rows into embeddings on disk")
    .requiredOption(
      "--backbone <location>",
      "Hugging Face directory of the backbone, org/name on the hub, tiny: the built-in one, or vllm+http://HOST:PORT#org/name",
    )
    .requiredOption(
      "--data <location...>",
      "Parquet, JSONL, JSON or CSV files, folders, or org/name:split on the hub; NAME=FILE prefixes objectives with NAME-",
    )
    .requiredOption("--out <dir>", "folder for the embeddings: empty, or this same run begun")
    .addOption(
      new Option("--kind <kind>", "what the rows are (default: told from the first row)").choices([
        "ratings",
        "pairs",
        "best-of-n",
      ]),
    )
    .option(
      "--objectives <names>",
      "ratings to keep, with commas between them; * is any text (default: all)",
      parseList,
    )
    .option(
      "--part-rows <n>",
      "rows of the data per file (default: 8192, fewer where a prompt has many responses)",
      parsePositiveInteger,
    )
    .option("--max-tokens <n>", "longest conversation (default: the backbone's limit)", parsePositiveInteger)
    .addOption(
      new Option("--overlong <policy>", "what becomes of longer ones")
        .choices(["reject", "drop-oldest-turns"])
        .default("reject"),
    )
    .option("--limit <n>", "only the first n rows", parsePositiveInteger)
    .option(
      "--strict",
      "stop at the first row that is left out or odd: unreadable, too long, a repeated id …",
    )
    .option(
      "--shard <i/n>",
      "only the i-th of n shares of the parts, counted from 1; auto: as the Slurm array or Indexed Job says; armorm merge completes the set",
    )
    .option(
      "--json",
      "print the manifest as JSON, with timing: how long it took and the backbone's share of it",
    );
  return withDownloads(withBackboneOptions(withScaleOption(withFormatOption(command))), downloadBackbone)
    .action(run)
    .addHelpText(
      "after",
      `
Exit code 2 if rows were rejected as invalid; of a shard 0, since its rows are accounted for and armorm merge names them.

Examples:
  armorm embed --backbone tiny --data ratings.jsonl --out embedded/ratings
  armorm embed --backbone ./Llama-3-8B --data helpsteer=hs.jsonl.gz ultra=uf.parquet --out embedded/ratings
  armorm embed --backbone org/name --data allenai/reward-bench:filtered --out embedded/reward-bench
  armorm embed --backbone "vllm+http://gpu1:8000,gpu2:8000#org/name" --data hs.jsonl --out embedded/ratings`,
    );
}

async function downloadBackbone({ backbone }: EmbedFlags): Promise<Partial<EmbedFlags>> {
  return { backbone: await download(backbone) };
}

// Loaded by a function of its own: tsc does not rewrite import paths inside a function that says `await using`.
const loadLibrary = () =>
  Promise.all([
    import("../data/kind.ts"),
    import("../embedding/embed.ts"),
    import("../embedding/set-description.ts"),
  ]);

async function run(flags: EmbedFlags): Promise<void> {
  const shard = flags.shard === undefined ? undefined : parseShard(flags.shard, process.env);
  const [{ detectKind }, { embed }, { countParts }] = await loadLibrary();
  const data = await dataLocations(flags.data, flags.format);
  const scales = await declaredScales(flags.scale);
  const kind = flags.kind ?? (await detectKind(data[0]!));
  await using embedder = await openForFlags(flags.backbone, flags);
  const { backbone, chat, chatSettings, location } = embedder;
  const watch = watchEmbedding(flags, shard);
  const manifest = await embed(backbone, chat, {
    ...pick(flags, ["out", "objectives", "partRows", "maxTokens", "overlong", "limit", "strict"]),
    ...scales,
    ...watch.hooks,
    kind,
    data,
    location,
    chatSettings,
    signal: interruptSignal(),
    ...(shard === undefined ? {} : { shard, command: commandOf(process.argv.slice(3)) }),
    onNote: note,
  }).finally(() => watch.stop());
  const timing = watch.timing();
  if (flags.json) printJson({ ...manifest, timing: timing && timingFields(timing) });
  else if (shard !== undefined && !manifest.complete) printShard(manifest, flags.out, shard);
  else printManifest(manifest, flags.out);
  if (timing) note(describeTiming(timing));
  const { first, end } = shardParts(shard ?? WHOLE, countParts(manifest));
  const empty = manifest.rowsOut === 0 && end > first;
  if (empty) note("no row could be embedded");
  // A shard whose rows are accounted for is done: started again, as clusters do with what fails, it would reject the same ones.
  const rejected = empty || manifest.rejections.some((row) => row.kind === "invalid");
  if (rejected && shard === undefined) process.exitCode = EXIT.badInput;
  if (!manifest.complete && manifest.parts.length < end - first)
    throw new Interrupted(`stopped; the same command continues ${flags.out}`);
}

/** The command line without what differs from shard to shard. */
function commandOf(words: readonly string[]): string[] {
  const kept: string[] = [];
  for (let i = 0; i < words.length; i++) {
    if (words[i] === "--shard" || words[i] === "--out") i++;
    else if (!/^--(?:shard|out)=/.test(words[i]!)) kept.push(words[i]!);
  }
  return kept;
}

function printShard(manifest: EmbeddingManifest, directory: string, shard: Shard): void {
  const { kind, rowsOut, rejections, parts } = manifest;
  const rows = `${integer(rowsOut)} of ${integer(rowsOut + rejections.length)} ${kind}`;
  print(`${directory}: shard ${showShard(shard)}, ${count(parts.length, "part")}, ${rows}`);
  note(`once all shards are done: armorm merge ${shellWords([directory])}`);
}

/** What was embedded and what was not. */
export function printManifest(manifest: EmbeddingManifest, directory: string): void {
  const { kind, rowsIn, rowsOut, responses, rejections, objectives, backbone } = manifest;
  const what = responses === undefined ? kind : `${kind} prompts with ${integer(responses)} responses`;
  print(`${directory}: ${integer(rowsOut)} of ${integer(rowsIn)} ${what}, ${backbone.hiddenSize} wide`);
  if (objectives.length > 0) {
    const columns = [
      { title: "objective" },
      { title: "source" },
      { title: "rows", align: "right" },
      { title: "range", align: "right" },
    ] as const;
    const range = (low: number, high: number) => `${Number(low.toFixed(3))} … ${Number(high.toFixed(3))}`;
    const rows = objectives.map((o) => [o.name, o.source, integer(o.rows), range(o.minimum, o.maximum)]);
    print(table(columns, rows));
  }
  const { rowsUnrated } = manifest;
  if (rowsUnrated) print(`left out, rated on none of these objectives: ${integer(rowsUnrated)}`);
  for (const reason of ["too-long", "invalid"] as const) {
    const some = rejections.filter((rejection) => rejection.kind === reason);
    if (some.length > 0)
      print(`rejected, ${reason}: ${integer(some.length)} (the first: ${some[0]!.reason})`);
  }
}
