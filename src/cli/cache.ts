import { Command } from "commander";
import { count, print, printJson, table } from "./output.ts";
import { formatBytes } from "./progress.ts";

interface CacheFlags {
  json?: boolean;
}

export function cacheCommand(): Command {
  const list = new Command("list")
    .description("say what is kept, and of which checkpoint (default)")
    .option("--json", "print it as JSON")
    .action(runList);
  const clear = new Command("clear")
    .description("delete it; weights are quantized again when they are needed")
    .option("--json", "print what was deleted as JSON")
    .action(runClear);
  return new Command("cache")
    .description("quantized weights that armorm keeps, in ARMORM_CACHE or ~/.cache/armorm")
    .addCommand(list, { isDefault: true })
    .addCommand(clear);
}

async function runList(flags: CacheFlags): Promise<void> {
  const { cacheFolder, listCache } = await import("../backbone/quantization/cache.ts");
  const folder = cacheFolder();
  const entries = await listCache(folder);
  const bytes = entries.reduce((sum, entry) => sum + entry.bytes, 0);
  if (flags.json) {
    printJson({ folder, bytes, entries });
    return;
  }
  print(`${folder}: ${count(entries.length, "checkpoint")}, ${formatBytes(bytes)}`);
  if (entries.length === 0) return;
  const columns = [
    { title: "checkpoint" },
    { title: "dtype" },
    { title: "size", align: "right" },
    { title: "since" },
  ] as const;
  const rows = entries.map(({ source, name, dtype, bytes: size, created }) => [
    source || name,
    dtype || "unfinished, or of another version",
    formatBytes(size),
    created.slice(0, 10),
  ]);
  print(table(columns, rows));
}

async function runClear(flags: CacheFlags): Promise<void> {
  const { cacheFolder, clearCache } = await import("../backbone/quantization/cache.ts");
  const folder = cacheFolder();
  const bytes = await clearCache(folder);
  if (flags.json) printJson({ folder, bytes });
  else print(`${folder}: ${formatBytes(bytes)} deleted`);
}
