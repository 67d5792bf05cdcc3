// A card of values that a model is known to give, and its file: verify.json in a model directory.

import { existsSync } from "node:fs";
import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Message, validateMessages } from "../chat/messages.ts";
import { locateCheckpoint } from "../checkpoint/location.ts";
import { InputError } from "../errors.ts";
import type { ByObjective } from "../reward-model.ts";
import { readModelConfig } from "../scoring/model-directory.ts";
import { isPublishedModel, PUBLISHED_CARD } from "./published-card.ts";

/** One response to the card's prompt, and what is known of it; whatever is absent is not known. */
export interface CardResponse {
  readonly content: string;
  /** Of all objectives, or of some: then those whose coefficients are largest in absolute value. */
  readonly coefficients?: ByObjective;
  readonly rewards?: ByObjective;
  /** Rewards on the scale on which people rated. */
  readonly ratings?: ByObjective;
  readonly score?: number;
  /** What people said, shown beside the ratings and compared with nothing. */
  readonly humanRatings?: ByObjective;
}

/** An example with its values. */
export interface VerifyCard {
  /** Where the values come from. */
  readonly source: string;
  /** Largest difference from a value that still counts as the same, > 0. */
  readonly tolerance: number;
  /** What to know about differences. */
  readonly note?: string;
  readonly prompt: readonly Message[];
  readonly responses: readonly CardResponse[];
}

const FILE = "verify.json";
const FORMAT = "armorm-verify";
const VERSION = 1;
const BY_OBJECTIVE = ["coefficients", "rewards", "ratings", "humanRatings"] as const;

/**
 * The card of a model: `verify.json` in its directory, or the published model's own, which is built in.
 *
 * @param location As for `openRewardModel`.
 * @throws {InputError} `no-verify-card`; those of `readVerifyCard`.
 */
export async function findVerifyCard(location: string): Promise<VerifyCard> {
  const { directory, name } = await locateCheckpoint(location);
  const path = join(directory, FILE);
  if (existsSync(path)) return readVerifyCard(path);
  if (isPublishedModel(name, await readModelConfig(directory))) return PUBLISHED_CARD;
  throw new InputError(
    "no-verify-card",
    `${location}: expected ${FILE} with values to verify, got none`,
    "give a card with --card FILE; docs/formats.md says what it holds",
  );
}

/** Reads a card. @throws {InputError} `missing-file`, `malformed-json`, `bad-verify-card` */
export async function readVerifyCard(path: string): Promise<VerifyCard> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch {
    throw new InputError("missing-file", `${path}: expected a readable file, got none`, "give another path");
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    const what = `${path}: expected JSON, got something else`;
    throw new InputError("malformed-json", what, "restore the file");
  }
  return cardOf(value, path);
}

/** Writes a card into a model directory, the whole of it or nothing. */
export async function writeVerifyCard(directory: string, card: VerifyCard): Promise<void> {
  const temporary = join(directory, `.${FILE}.tmp`);
  const text = JSON.stringify({ format: FORMAT, version: VERSION, ...card }, null, 2);
  await writeFile(temporary, `${text}\n`, { flush: true });
  await rename(temporary, join(directory, FILE));
}

type Fields = Readonly<Record<string, unknown>>;

function cardOf(value: unknown, path: string): VerifyCard {
  const card = fieldsOf(value, path, "a card", [
    ...["format", "version", "source", "tolerance", "note", "prompt", "responses"],
  ]);
  const { format, version, source, tolerance, note, prompt, responses } = card;
  if (format !== FORMAT) throw badCard(path, `format "${FORMAT}"`, format);
  if (version !== VERSION) throw badCard(path, `version ${VERSION}`, version);
  if (typeof source !== "string" || source === "") throw badCard(path, "a source as text", source);
  if (typeof tolerance !== "number" || !(tolerance > 0))
    throw badCard(path, "a tolerance above 0", tolerance);
  if (note !== undefined && typeof note !== "string") throw badCard(path, "a note as text", note);
  if (!Array.isArray(responses) || responses.length === 0)
    throw badCard(path, "at least one response", responses);
  const read = {
    source,
    tolerance,
    ...(note === undefined ? {} : { note }),
    prompt: validateMessages(prompt, `${path}: prompt`),
    responses: responses.map((response, i) => responseOf(response, `${path}: response ${i}`)),
  };
  const known = read.responses.some(
    ({ content: _, humanRatings: __, ...values }) => Object.keys(values).length > 0,
  );
  if (!known) throw badCard(path, "values to verify", "none");
  return read;
}

function responseOf(value: unknown, where: string): CardResponse {
  const response = fieldsOf(value, where, "a response", ["content", "score", ...BY_OBJECTIVE]);
  const { content, score } = response;
  if (typeof content !== "string") throw badCard(where, "content as text", content);
  if (score !== undefined && typeof score !== "number") throw badCard(where, "a number as score", score);
  const groups = BY_OBJECTIVE.filter((name) => response[name] !== undefined).map((name) => {
    const values = fieldsOf(response[name], `${where}: ${name}`, "numbers by objective");
    for (const [objective, number] of Object.entries(values))
      if (typeof number !== "number") throw badCard(`${where}: ${name}`, `a number as ${objective}`, number);
    return [name, values];
  });
  return { content, ...(score === undefined ? {} : { score }), ...Object.fromEntries(groups) };
}

/** An object with no other keys than these. */
function fieldsOf(value: unknown, where: string, what: string, keys?: readonly string[]): Fields {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw badCard(where, what, value);
  const other = keys && Object.keys(value).find((key) => !keys.includes(key));
  if (other !== undefined) throw badCard(where, `the fields ${keys!.join(", ")}`, other);
  return value as Fields;
}

function badCard(where: string, expected: string, got: unknown): InputError {
  const shown = typeof got === "string" ? got : (JSON.stringify(got) ?? "nothing");
  return new InputError(
    "bad-verify-card",
    `${where}: expected ${expected}, got ${shown.length > 60 ? `${shown.slice(0, 59)}…` : shown}`,
    "mend the card; docs/formats.md says what it holds",
  );
}
