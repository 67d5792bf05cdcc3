import { Command } from "commander";
import type { MissingParts } from "../embedding/merge-shards.ts";
import { showShard } from "../embedding/shard.ts";
import { printManifest } from "./embed.ts";
import { EXIT } from "./failure.ts";
import { count, integer, note, print, printJson } from "./output.ts";
import { startProgress } from "./progress.ts";
import { shellWords } from "./shell-words.ts";

interface MergeFlags {
  json?: boolean;
}

export function mergeCommand(): Command {
  return new Command("merge")
    .description("verify that all shards of an embedding set are there, and make the set complete")
    .argument("<dir>", "folder of the set: where the shards have written, or a new one")
    .argument("[shards...]", "folders of shards that have written into folders of their own")
    .option("--json", "print the manifest, or what is missing, as JSON")
    .action(run)
    .addHelpText(
      "after",
      `
Exit code 1 if parts are missing; the commands that make them are printed.

Examples:
  armorm merge embedded/ratings
  armorm merge embedded/ratings shard-1 shard-2 shard-3`,
    );
}

async function run(out: string, from: readonly string[], flags: MergeFlags): Promise<void> {
  const { mergeShards } = await import("../embedding/merge-shards.ts");
  const progress = startProgress("verifying", "parts");
  const { manifest, missing, partCount } = await mergeShards(out, {
    from,
    onProgress: progress.update,
    onNote: note,
  }).finally(() => progress.stop());
  if (manifest === null) {
    process.exitCode = EXIT.failed;
    if (flags.json) printJson({ complete: false, partCount, missing });
    else printMissing(out, missing, partCount);
  } else if (flags.json) printJson(manifest);
  else printManifest(manifest, out);
}

const NAMED = 3;

/** Which parts are missing, by shard, and the commands that make them. */
export function printMissing(out: string, missing: readonly MissingParts[], partCount: number): void {
  const parts = missing.reduce((sum, shard) => sum + shard.parts.length, 0);
  print(`${out}: ${integer(parts)} of ${count(partCount, "part")} missing`);
  for (const { shard, command, parts: files } of missing) {
    const names = files.slice(0, NAMED).map(({ file }) => file);
    const more = files.length > NAMED ? `, and ${integer(files.length - NAMED)} more` : "";
    print(`shard ${showShard(shard)}: ${names.join(", ")}${more}`);
    for (const { damage } of files) if (damage !== null) print(`  ${damage}`);
    print(
      `  armorm embed ${command === null ? "…" : shellWords(command)} --out ${shellWords([out])} --shard ${showShard(shard)}`,
    );
  }
}
