import { Command } from "commander";
import pc from "picocolors";
import type { DataDescription } from "../data/describe-data.ts";
import { dataLocations, declaredScales, withFormatOption, withScaleOption } from "./data-options.ts";
import { counted, noteRejected, withRowsProgress } from "./data-progress.ts";
import { withDownloads } from "./downloads.ts";
import { interruptSignal } from "./failure.ts";
import { parseList, pick } from "./flags.ts";
import { integer, percent, print, printJson, table } from "./output.ts";

interface DescribeFlags {
  data: string[];
  objectives?: string[];
  format?: string;
  scale?: string[];
  json?: boolean;
}

export function dataDescribeCommand(): Command {
  const command = new Command("describe")
    .description("say what files of rows hold: kind, objectives, lengths, duplicates")
    .requiredOption(
      "--data <location...>",
      "Parquet, JSONL, JSON or CSV files, folders, or org/name:split on the hub; NAME=FILE prefixes objectives with NAME-",
    )
    .option(
      "--objectives <names>",
      "ratings that stand as columns, with commas between them; * is any text",
      parseList,
    )
    .option("--json", "print it as JSON");
  return withDownloads(withScaleOption(withFormatOption(command)))
    .action(run)
    .addHelpText(
      "after",
      `
Examples:
  armorm data describe --data ratings.jsonl pairs.jsonl.gz
  armorm data describe --data helpsteer=hs.jsonl.gz --objectives helpsteer-helpfulness,helpsteer-verbosity --json`,
    );
}

async function run(flags: DescribeFlags): Promise<void> {
  const [{ describeData }, { titleOf }] = await loadLibrary();
  const locations = await dataLocations(flags.data, flags.format);
  const scales = await declaredScales(flags.scale);
  const signal = interruptSignal();
  const files: DataDescription[] = [];
  for (const location of locations) {
    const description = await withRowsProgress("reading", [location], (onProgress) =>
      describeData(location, { ...pick(flags, ["objectives"]), ...scales, signal, onProgress }),
    );
    files.push(description);
  }
  if (flags.json) printJson({ files });
  for (const [i, file] of files.entries()) {
    if (!flags.json) {
      if (i > 0) print();
      printDescription(file, titleOf(file.format));
    }
    noteRejected(file.rejected);
  }
}

const loadLibrary = () =>
  Promise.all([import("../data/describe-data.ts"), import("../data/formats/formats.ts")]);

function printDescription(description: DataDescription, title: string | null): void {
  const {
    file,
    kind,
    format,
    rows,
    prompts,
    notAlternating,
    duplicates,
    objectives,
    subsets,
    lengths,
    chosenLonger,
  } = description;
  const { contradictions } = duplicates;
  print(`${pc.bold(file)}: ${counted(rows, "row")} of ${kind}, ${counted(prompts, "prompt")}`);
  if (title !== null) print(`read as ${title} (--format ${format})`);
  const repeated = `${integer(duplicates.contents)} repeat the prompt and responses of an earlier row, ${integer(duplicates.rows)} of them byte for byte`;
  print(contradictions === null ? repeated : `${repeated}; ${integer(contradictions)} contradict one`);
  if (notAlternating.count > 0) {
    const turns = `${counted(notAlternating.count, "row")} with turns that do not alternate`;
    print(`${turns} (the first: ${notAlternating.first})`);
  }
  if (duplicates.ids > 0) print(`${counted(duplicates.ids, "row")} with the id of an earlier one`);
  if (objectives.length > 0) print(objectiveTable(objectives));
  if (Object.keys(lengths).length > 0) print(lengthTable(lengths));
  if (chosenLonger) {
    const { characters, words } = chosenLonger;
    print(`chosen is the longer one in ${percent(characters)} by characters, ${percent(words)} by words`);
  }
  const names = Object.entries(subsets);
  if (names.length > 1) {
    const columns = [{ title: "subset" }, { title: "rows", align: "right" }] as const;
    print(
      table(
        columns,
        names.map(([name, count]) => [name, integer(count)]),
      ),
    );
  } else if (names.length === 1) print(`subset ${names[0]![0]}`);
}

function objectiveTable(objectives: DataDescription["objectives"]): string {
  const columns = [
    { title: "objective" },
    { title: "rated", align: "right" },
    { title: "missing", align: "right" },
    { title: "minimum", align: "right" },
    { title: "mean", align: "right" },
    { title: "maximum", align: "right" },
  ] as const;
  const rows = objectives.map(({ name, rated, missing, minimum, mean, maximum }) => [
    name,
    integer(rated),
    integer(missing),
    short(minimum),
    short(mean),
    short(maximum),
  ]);
  return table(columns, rows);
}

function lengthTable(lengths: DataDescription["lengths"]): string {
  const columns = [
    { title: "length" },
    { title: "texts", align: "right" },
    { title: "characters: mean", align: "right" },
    { title: "median", align: "right" },
    { title: "longest", align: "right" },
    { title: "words: mean", align: "right" },
    { title: "median", align: "right" },
    { title: "longest", align: "right" },
  ] as const;
  const rows = Object.entries(lengths).map(([part, { texts, characters, words }]) => [
    part,
    integer(texts),
    ...[characters, words].flatMap(({ mean, median, maximum }) =>
      [mean, median, maximum].map((value) => integer(Math.round(value))),
    ),
  ]);
  return table(columns, rows);
}

const short = (value: number): string => String(Number(value.toFixed(3)));
