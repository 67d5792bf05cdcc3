// `inspect --quantization`: what int8 and int4 do to a model.

import { type PreferencePair, placeOf } from "../data/records.ts";
import { InputError } from "../errors.ts";
import type { QuantizationError } from "../evaluation/quantization-error.ts";
import { type ChatFlags, chatOptions } from "./backbone-options.ts";
import { integer, note, percent, print, printJson, table } from "./output.ts";
import { watchQuantizing } from "./quantizing.ts";

/** Made-up pairs, where no file is given. */
const SAMPLE = { ratings: 1, pairs: 64, evaluationPairs: 1, seed: 7 };

interface QuantizationFlags extends ChatFlags {
  /** A file of preference pairs, or true for made-up ones. */
  quantization: string | true;
  json?: boolean;
}

export async function inspectQuantization(
  name: string,
  directory: string,
  flags: QuantizationFlags,
): Promise<void> {
  const { quantization: file, json } = flags;
  const [{ isModelDirectory, openModelDirectory }, { openModelChat }, { openChat }, { measureQuantization }] =
    await Promise.all([
      import("../opening/open-model-directory.ts"),
      import("../scoring/local-model.ts"),
      import("../chat/chat.ts"),
      import("../evaluation/quantization-error.ts"),
    ]);
  const pairs = file === true ? await samplePairs() : await readAll(file);
  const model = (await isModelDirectory(directory)) ? await openModelDirectory(name) : null;
  const asked = await chatOptions(flags);
  const chat = await (model === null
    ? openChat(directory, { checkpoint: name, ...asked })
    : openModelChat(model, asked));
  const errors = await watchQuantizing((open) =>
    measureQuantization(model?.backbone.location ?? name, chat, pairs, {
      dtypes: ["int8", "int4"],
      scorer: model?.scorer ?? null,
      open,
    }),
  );
  if (json) printJson({ kind: "quantization", model: name, sample: file === true ? null : file, errors });
  else printErrors(name, file, errors);
}

function printErrors(name: string, file: string | true, errors: readonly QuantizationError[]): void {
  const sample = file === true ? "made-up pairs" : `pairs of ${file}`;
  print(`${name}, against f32 on ${integer(errors[0]!.pairs)} ${sample}`);
  const columns = [
    { title: "dtype" },
    { title: "change of hidden states", align: "right" },
    { title: "change of margins", align: "right" },
    { title: "preferences flipped", align: "right" },
  ] as const;
  print(
    table(
      columns,
      errors.map(({ dtype, hiddenState, margin, flipped }) => [
        dtype,
        percent(hiddenState),
        percent(margin),
        percent(flipped),
      ]),
    ),
  );
  if (errors[0]!.margin === null) note("a backbone alone has no margins: give a reward model for those");
}

async function samplePairs(): Promise<PreferencePair[]> {
  const { generateDemoData } = await import("../data/synthetic/demo-data.ts");
  return generateDemoData(SAMPLE).pairs.map(
    ({ id, prompt, chosen, rejected, promptHash }): PreferencePair => ({
      ...{ kind: "pair", id, prompt, chosen, rejected, promptHash },
      subset: null,
      source: "made up",
    }),
  );
}

async function readAll(file: string): Promise<PreferencePair[]> {
  const [{ readPairs }, { parseDataLocation }] = await Promise.all([
    import("../data/pairs.ts"),
    import("../data/location.ts"),
  ]);
  const pairs: PreferencePair[] = [];
  for await (const row of readPairs([parseDataLocation(file)])) {
    if (row.kind === "error") {
      throw new InputError(
        "bad-row",
        `${row.file}, ${placeOf(row)}: ${row.error}`,
        "mend the row, or leave it out",
      );
    }
    pairs.push(row);
  }
  return pairs;
}
