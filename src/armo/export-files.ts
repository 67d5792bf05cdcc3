// The files beside the weights of an exported checkpoint: tokenizer, template, licence, card, what training saw.

import { existsSync } from "node:fs";
import { copyFile, cp, readdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { checkpointLicence, licenceDuties } from "../checkpoint/licence.ts";
import { type ExportFacts, exportCard } from "./export-card.ts";
import type { ArmoDirectory } from "./model-directory.ts";
import { PROMPTS } from "./training-prompts.ts";

/** Of the backbone: what turns messages into tokens, generation settings, and its licence. */
const BACKBONE_FILES =
  /^(?:tokenizer\.json|tokenizer_config\.json|special_tokens_map\.json|added_tokens\.json|tokenizer\.model|vocab\.json|merges\.txt|chat_template\.(?:jinja|json)|generation_config\.json|(?:licen[cs]e|notice|use_policy)(?:[-.][^/]*)?)$/i;
const LICENCE_TEXT = /^licen[cs]e(?:[-.][^/]*)?$/i;
const NOTICE = /^notice(?:[-.][^/]*)?$/i;
const TEMPLATES = "additional_chat_templates";
const CARD = "README.md";
const TRAINING_CARD = "TRAINING.md";
const EXAMPLE = "verify.json";

export interface ExportFilesOptions extends Pick<ExportFacts, "backbone" | "className" | "headsDtype"> {
  readonly backboneDirectory: string;
  /** The same for a checkpoint from elsewhere. */
  readonly modelDirectory: string;
}

/**
 * Writes everything but weights and configuration.
 *
 * The licence's duties are met as far as files can: its text is copied, a notice that it asks for is written, and the card names it.
 *
 * @returns The licence that the backbone's card names, or null.
 */
export async function writeExportFiles(
  out: string,
  model: ArmoDirectory,
  { backboneDirectory, modelDirectory, ...about }: ExportFilesOptions,
): Promise<string | null> {
  const names = (await readdir(backboneDirectory)).filter((name) => BACKBONE_FILES.test(name));
  for (const name of names) await copyFile(join(backboneDirectory, name), join(out, name));
  const templates = join(backboneDirectory, TEMPLATES);
  if (existsSync(templates))
    await cp(templates, join(out, TEMPLATES), { recursive: true, dereference: true });
  // A template that came from the command line is the one that the heads know.
  const template = model.chat?.chatTemplate ?? null;
  if (template !== null) await writeFile(join(out, "chat_template.jinja"), template, { flush: true });

  const licence = await checkpointLicence(backboneDirectory);
  const duties = licenceDuties(licence);
  if (duties && !names.some((name) => NOTICE.test(name))) await writeText(out, "NOTICE", duties.notice);
  const hasLicenceText = names.some((name) => LICENCE_TEXT.test(name));
  const trainingCard = modelDirectory !== backboneDirectory && existsSync(join(modelDirectory, CARD));
  const facts = {
    ...about,
    licence,
    duties,
    hasLicenceText,
    trainingCard: trainingCard ? TRAINING_CARD : null,
  };
  await writeText(out, CARD, exportCard(model, facts));
  const copied = [
    ...(trainingCard ? [[CARD, TRAINING_CARD] as const] : []),
    ...(model.trainedOn === null ? [] : [[PROMPTS, PROMPTS] as const]),
    // The example's values are those of the heads as they are.
    ...(about.headsDtype === "f32" && existsSync(join(modelDirectory, EXAMPLE))
      ? [[EXAMPLE, EXAMPLE] as const]
      : []),
  ];
  for (const [from, to] of copied) await copyFile(join(modelDirectory, from), join(out, to));
  return licence;
}

/** Writes a text under a temporary name, syncs it, and renames it into place. */
export async function writeText(directory: string, name: string, text: string): Promise<void> {
  const temporary = join(directory, `.${name}.tmp`);
  await writeFile(temporary, `${text.trimEnd()}\n`, { flush: true });
  await rename(temporary, join(directory, name));
}
