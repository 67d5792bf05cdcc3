import { Command } from "commander";
import { dataBinarizeCommand } from "./data-binarize.ts";
import { dataDescribeCommand } from "./data-describe.ts";
import { dataGroupCommand } from "./data-group.ts";
import { dataOverlapCommand } from "./data-overlap.ts";
import { dataSplitCommand } from "./data-split.ts";

export function dataCommand(): Command {
  return new Command("data")
    .description(
      "look through data, split it, find overlaps, turn ratings into pairs and pairs into best-of-N rows",
    )
    .addCommand(dataDescribeCommand())
    .addCommand(dataBinarizeCommand())
    .addCommand(dataGroupCommand())
    .addCommand(dataSplitCommand())
    .addCommand(dataOverlapCommand())
    .addHelpText(
      "after",
      `
Examples:
  armorm data describe --data ratings.jsonl pairs.jsonl.gz
  armorm data binarize --data ultra=ratings.jsonl --out pairs.jsonl --min-margin 0.1`,
    );
}
