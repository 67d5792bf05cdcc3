// Options that say what the rows of data are, for every command that takes --data.

import { type Command, Option } from "commander";
import type { DataFormat } from "../data/formats/data-format.ts";
import type { DataLocation } from "../data/location.ts";
import type { DeclaredScale } from "../data/rating-scale.ts";
import { note } from "./output.ts";

/** Names as `FORMATS` has them, which is not loaded to print help. */
export const FORMAT_NAMES = [
  ...["ratings", "helpsteer", "ultrafeedback", "objective-columns"],
  ...["pairs", "transcripts", "reward-bench", "conversations", "last-messages"],
] as const;

/** Adds `--format`. */
export function withFormatOption(command: Command): Command {
  return command.addOption(
    new Option("--format <name>", "what the rows of --data are (default: told from the first row)").choices([
      ...FORMAT_NAMES,
    ]),
  );
}

/** Adds `--scale`. */
export function withScaleOption(command: Command): Command {
  return command.option(
    "--scale <scale...>",
    "NAME=MIN:MAX, the range of an objective's ratings, or NAME=A*y+B, what is fitted of them; * in NAME is any text",
  );
}

/** The locations of `--data`, with the format that was asked for. */
export async function dataLocations(
  data: readonly string[],
  format: string | undefined,
): Promise<DataLocation[]> {
  const { parseDataLocation } = await import("../data/location.ts");
  return data.map((text) => ({ ...parseDataLocation(text), ...(format === undefined ? {} : { format }) }));
}

/** The scales of `--scale`. */
export async function declaredScales(
  texts: readonly string[] | undefined,
): Promise<{ scales?: DeclaredScale[] }> {
  if (texts === undefined) return {};
  const { parseScale } = await import("../data/rating-scale.ts");
  return { scales: texts.map(parseScale) };
}

/** Says which format was recognised; nothing where JSON is printed. */
export function formatNotes({ json }: { readonly json?: boolean }) {
  return {
    onFormat: ({ path }: DataLocation, { title, name }: DataFormat): void => {
      if (!json) note(`${path}: read as ${title} (--format ${name})`);
    },
  };
}
