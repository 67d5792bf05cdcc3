import type { Message } from "../chat/messages.ts";
import { badRow, describe, type Fields, fieldsOf, promptFrom, rowId, subsetOf } from "./fields.ts";
import { extractFinalAnswer, normalizeAnswer } from "./final-answer.ts";
import type { DataLocation } from "./location.ts";
import { promptHash } from "./prompt-hash.ts";
import type { BestOfNRow, RowError } from "./records.ts";
import { readRecords } from "./rows.ts";

/**
 * Streams prompts with N labelled responses each, from one or more files, in order.
 *
 * A row is one of three layouts; the prompt is text or messages in `prompt`, or else `messages`:
 *
 * - `{prompt, responses, labels, answers?}`: a label is 0, 1, true, false, or any finite number where answers are
 *   graded; `answers` are the final answers of the responses, null where there is none, and are normalised.
 * - `{prompt, chosen: [texts], rejected: [texts], num_correct?, num_incorrect?, total_completions?}`, as RewardBench 2:
 *   chosen before rejected, with the labels 1 and 0. Counts must agree with the lists.
 * - `{prompt, answers: [texts], label or labels}`, as RLHFlow's math test sets: responses are what `answers` holds.
 *
 * Samples may repeat and may be empty; N = 1 is allowed, N = 0 is not. `subset`, `family` or `category` names the
 * subset. Rows that cannot be used come out as `RowError`.
 *
 * @throws {InputError} those of `readRows`, and `no-usable-rows` for a file of another kind.
 *
 * Source: the feature list of allenai/reward-bench-2, and math-rm/README.md and prm_evaluate.py of
 * RLHFlow/RLHF-Reward-Modeling.
 */
export async function* readBestOfN(
  locations: readonly DataLocation[],
): AsyncGenerator<BestOfNRow | RowError, void, undefined> {
  for (const location of locations) {
    const { source, located = location.path } = location;
    yield* readRecords(located, (value) => parseBestOfN(value, location), { source, needsOne: true });
  }
}

/** Whether a row is a prompt with labelled responses, in any of the layouts. */
export function isBestOfN(value: unknown): boolean {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  const { responses, labels, label, answers, chosen, rejected } = fieldsOf(value, "fields");
  if (responses !== undefined) return labels !== undefined || label !== undefined;
  return isTexts(answers) || isTexts(chosen) || isTexts(rejected);
}

/** An array that holds a text first: lists of messages, which pairs have, hold objects. */
const isTexts = (value: unknown): boolean => Array.isArray(value) && typeof value[0] === "string";

/**
 * One row as a prompt with labelled responses.
 *
 * @throws {InputError} `bad-row`, or what the messages' validation throws.
 */
export function parseBestOfN(value: unknown, location: DataLocation): BestOfNRow {
  const fields = fieldsOf(value, "a prompt, responses and labels");
  const prompt = bestOfNPrompt(fields);
  return {
    kind: "best-of-n",
    id: rowId(value),
    prompt,
    ...responsesOf(fields),
    subset: subsetOf(fields),
    source: location.source,
    promptHash: promptHash(prompt),
  };
}

/** The prompt of a row with labelled responses. */
export function bestOfNPrompt(fields: Fields): Message[] {
  return promptFrom(
    fields.prompt ?? fields.messages,
    fields.prompt === undefined && fields.messages !== undefined ? "messages" : "prompt",
  );
}

/** The final answer of every response, for voting: as the row gives them, else extracted from the texts. */
export function finalAnswersOf({ responses, finalAnswers }: BestOfNRow): readonly (string | null)[] {
  return finalAnswers ?? responses.map(extractFinalAnswer);
}

type LabelledResponses = Pick<BestOfNRow, "responses" | "labels" | "finalAnswers">;

function responsesOf(fields: Fields): LabelledResponses {
  if (fields.responses !== undefined) {
    const responses = textsIn(fields.responses, "responses");
    const labels = labelsFor(responses, fields);
    return { responses, labels, finalAnswers: finalAnswersIn(fields.answers, responses.length) };
  }
  if (fields.answers !== undefined) {
    const responses = textsIn(fields.answers, "answers");
    return { responses, labels: labelsFor(responses, fields), finalAnswers: null };
  }
  if (fields.chosen === undefined && fields.rejected === undefined) {
    throw badRow(
      "row: expected responses with labels, or lists chosen and rejected, got neither",
      "give the responses and their labels",
    );
  }
  return chosenAndRejected(fields);
}

function chosenAndRejected(fields: Fields): LabelledResponses {
  const chosen = fields.chosen === undefined ? [] : textsIn(fields.chosen, "chosen", 0);
  const rejected = fields.rejected === undefined ? [] : textsIn(fields.rejected, "rejected", 0);
  const responses = [...chosen, ...rejected];
  if (responses.length === 0) {
    throw badRow("chosen and rejected: expected at least one response, got none", "leave the row out");
  }
  for (const [name, count] of [
    ["num_correct", chosen.length],
    ["num_incorrect", rejected.length],
    ["total_completions", responses.length],
  ] as const) {
    const given = fields[name];
    if (given === undefined || given === count) continue;
    throw badRow(`${name}: expected ${count} as in the lists, got ${describe(given)}`, "mend the row");
  }
  const labels = [...chosen.map(() => 1), ...rejected.map(() => 0)];
  return { responses, labels, finalAnswers: null };
}

function textsIn(value: unknown, what: string, fewest = 1): string[] {
  if (!Array.isArray(value)) {
    throw badRow(
      `${what}: expected an array of texts, got ${describe(value)}`,
      "give the responses as texts",
    );
  }
  if (value.length < fewest) {
    throw badRow(`${what}: expected at least one response, got none`, "leave the row out");
  }
  for (const [index, text] of value.entries()) {
    if (typeof text === "string") continue;
    throw badRow(`${what}[${index}]: expected text, got ${describe(text)}`, "give responses as strings");
  }
  return value;
}

function labelsFor(responses: readonly string[], { label, labels = label }: Fields): number[] {
  if (!Array.isArray(labels)) {
    throw badRow(`labels: expected an array of numbers, got ${describe(labels)}`, "give one per response");
  }
  if (labels.length !== responses.length) {
    throw badRow(
      `labels: expected one for each of ${responses.length} responses, got ${labels.length}`,
      "give one per response",
    );
  }
  return labels.map((given: unknown, index) => {
    const value = typeof given === "boolean" ? Number(given) : given;
    if (typeof value === "number" && Number.isFinite(value)) return value;
    throw badRow(
      `labels[${index}]: expected true, false or a finite number, got ${describe(given)}`,
      "label every response",
    );
  });
}

function finalAnswersIn(answers: unknown, count: number): (string | null)[] | null {
  if (answers === undefined) return null;
  if (!Array.isArray(answers) || answers.length !== count) {
    const got = Array.isArray(answers) ? `${answers.length}` : describe(answers);
    throw badRow(
      `answers: expected a final answer for each of ${count} responses, got ${got}`,
      "give one per response, null where there is none",
    );
  }
  return answers.map((answer: unknown, index) => {
    if (answer === null) return null;
    if (typeof answer === "string" || typeof answer === "number") return normalizeAnswer(String(answer));
    throw badRow(`answers[${index}]: expected text or null, got ${describe(answer)}`, "give it as text");
  });
}
