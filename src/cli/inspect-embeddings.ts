import pc from "picocolors";
import type { Distribution, EmbeddingSetDescription, NamedPrompts } from "../embedding/describe-set.ts";
import type { EmbeddingManifest } from "../embedding/manifest.ts";
import { InputError } from "../errors.ts";
import { dataLocations } from "./data-options.ts";
import { printManifest } from "./embed.ts";
import { integer, note, print, printJson, table } from "./output.ts";

interface Flags {
  json?: boolean;
  against?: string[];
}

/** Says what an embedding set holds; of one that has not been finished, what its manifest says. */
export async function inspectEmbeddings(location: string, directory: string, flags: Flags): Promise<void> {
  const [{ readManifest }, { openEmbeddingSet }, { describeEmbeddingSet }] = await Promise.all([
    import("../embedding/manifest.ts"),
    import("../embedding/embedding-set.ts"),
    import("../embedding/describe-set.ts"),
  ]);
  const manifest = await readManifest(directory);
  if (!manifest.complete) {
    if (flags.json) printJson(manifest);
    else printManifest(manifest, location);
    note("not complete: the same `armorm embed` command continues it");
    return;
  }
  const set = await openEmbeddingSet(directory);
  if (flags.against && !set.knowsTexts) {
    throw new InputError(
      "unknown-prompts",
      `${location}: expected prompts that can be told by their text, got imported embeddings`,
      "leave --against out: what they share cannot be known",
    );
  }
  const against = await Promise.all((flags.against ?? []).map(promptsOf));
  const contents = await describeEmbeddingSet(set, against);
  if (flags.json) printJson({ ...manifest, contents });
  else printContents(manifest, contents, location);
}

/** The prompts of an embedding set, or of data. */
async function promptsOf(location: string): Promise<NamedPrompts> {
  const [{ existsSync }, { join }, { MANIFEST }, { openEmbeddingSet }, { readRowsWithPrompt }] =
    await Promise.all([
      import("node:fs"),
      import("node:path"),
      import("../embedding/manifest.ts"),
      import("../embedding/embedding-set.ts"),
      import("../data/prompt-of-row.ts"),
    ]);
  const hashes = new Set<string>();
  if (existsSync(join(location, MANIFEST))) {
    const set = await openEmbeddingSet(location);
    for await (const rows of set.rowInfos()) for (const { promptHash } of rows) hashes.add(promptHash);
  } else {
    const [data] = await dataLocations([location], undefined);
    let unread = 0;
    for await (const row of readRowsWithPrompt(data!)) {
      if (row.kind === "error") unread++;
      else hashes.add(row.promptHash);
    }
    if (unread > 0) note(`${location}: ${integer(unread)} rows whose prompt cannot be read`);
  }
  return { name: location, hashes };
}

function printContents(
  manifest: EmbeddingManifest,
  contents: EmbeddingSetDescription,
  location: string,
): void {
  printManifest(manifest, location);
  const { prompts, sources, subsets, objectives, responseTokens, overlaps } = contents;
  print(
    `${integer(prompts.distinct)} prompts; ${integer(prompts.repeated)} rows repeat one, at most ${integer(prompts.mostRows)} have the same`,
  );
  for (const [title, groups] of Object.entries({ source: sources, subset: subsets })) {
    if (Object.keys(groups).length < 2) continue;
    print();
    const rows = Object.entries(groups).map(([name, rows]) => [name, integer(rows)]);
    print(table([{ title }, { title: "rows", align: "right" }], rows));
  }
  printDistributions("ratings of", objectives);
  printDistributions("tokens of", responseTokens);
  if (overlaps.length === 0) return;
  print();
  const columns = [
    { title: "shared with" },
    { title: "prompts", align: "right" },
    { title: "rows", align: "right" },
  ] as const;
  print(
    table(
      columns,
      overlaps.map(({ against, prompts: shared, rows }) => [
        against,
        shared > 0 ? pc.yellow(integer(shared)) : "0",
        integer(rows),
      ]),
    ),
  );
}

function printDistributions(title: string, distributions: Readonly<Record<string, Distribution>>): void {
  if (Object.keys(distributions).length === 0) return;
  const columns = [
    { title },
    ...["count", "least", "mean", "median", "most"].map((name) => ({ title: name, align: "right" as const })),
    { title: "" },
  ];
  const short = (value: number) => `${Number(value.toFixed(3))}`;
  print();
  print(
    table(
      columns,
      Object.entries(distributions).map(([name, { count, minimum, mean, median, maximum, histogram }]) => [
        name,
        integer(count),
        ...[minimum, mean, median, maximum].map(short),
        sparkline(histogram),
      ]),
    ),
  );
}

const BLOCKS = "▁▂▃▄▅▆▇█";

/** Counts as bars of one line; an empty bin is blank. */
function sparkline(counts: readonly number[]): string {
  const most = Math.max(...counts);
  return counts
    .map((count) => (count === 0 ? " " : BLOCKS[Math.ceil((BLOCKS.length * count) / most) - 1]))
    .join("");
}
