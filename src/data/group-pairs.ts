import { createHash } from "node:crypto";
import { dirname } from "node:path";
import { InputError } from "../errors.ts";
import type { DataLocation } from "./location.ts";
import { readPairs } from "./pairs.ts";
import type { PreferencePair } from "./records.ts";
import { type RejectedRows, RejectionCount } from "./rejections.ts";
import { createRowsFile } from "./rows-file.ts";
import { type SpooledText, TextSpool } from "./text-spool.ts";

export interface GroupOptions {
  /** Replace a file that is there. Default false. */
  readonly overwrite?: boolean;
  /** Stop at the first row that cannot be read. Default false: such rows are counted. */
  readonly strict?: boolean;
  readonly signal?: AbortSignal;
  readonly onProgress?: (rows: number) => void;
}

export interface GroupReport {
  readonly file: string;
  /** Pairs read. */
  readonly pairs: number;
  /** Prompts written, one per row. */
  readonly prompts: number;
  /** Responses written, and how many of them are labelled 1. */
  readonly responses: number;
  readonly correct: number;
  /** Responses left out, because one pair prefers them and another of the same prompt does not. */
  readonly conflicts: number;
  /** Prompts left out, because no other response was left. */
  readonly emptied: number;
  /** Over the prompts written. */
  readonly responsesPerPrompt: { readonly minimum: number; readonly mean: number; readonly maximum: number };
  readonly rejected: RejectedRows;
}

/** A line of the file that `groupPairs` writes. */
interface GroupRow {
  id: string;
  prompt: readonly { role: string; content: string }[];
  responses: string[];
  labels: number[];
  subset?: string;
}

/**
 * Gathers preference pairs into one row per prompt, with its responses and their labels: the data for best-of-N.
 *
 * A response that was chosen gets the label 1, one that was rejected 0, each once, in the order in which they are first
 * seen; one that was both is left out and counted. Prompts are the same where source, subset and every message are,
 * character by character. The labels mean what the pairs meant: right and wrong only where chosen and rejected did.
 *
 * @param out `.jsonl` or `.jsonl.gz`; ids are `SOURCE-<number of the prompt>`, from 1.
 * @throws {InputError} Those of `readPairs` and `createRowsFile`; `no-responses` when nothing was left to write.
 *
 * Cost: one pass. Memory is about 200 bytes per response; texts wait on disk beside `out`.
 */
export async function groupPairs(
  locations: readonly DataLocation[],
  out: string,
  { overwrite = false, strict = false, signal, onProgress }: GroupOptions = {},
): Promise<GroupReport> {
  const rejections = new RejectionCount(strict);
  await using file = await createRowsFile(out, { overwrite });
  await using spool = await TextSpool.create(dirname(out));
  const groups = new Map<string, Group>();
  let pairs = 0;
  for await (const record of readPairs(locations)) {
    signal?.throwIfAborted();
    if (record.kind === "error") rejections.add(record);
    else {
      pairs++;
      await addPair(record, groups, spool);
    }
    onProgress?.(pairs + rejections.rows.count);
  }

  const count = { responses: 0, correct: 0, conflicts: 0, emptied: 0 };
  const range = { minimum: Number.POSITIVE_INFINITY, maximum: 0 };
  let number = 0;
  for (const group of groups.values()) {
    signal?.throwIfAborted();
    number++;
    const all = [...group.responses.values()];
    const kept = all.filter(({ label }) => label !== null);
    count.conflicts += all.length - kept.length;
    if (kept.length === 0) {
      count.emptied++;
      continue;
    }
    count.responses += kept.length;
    count.correct += kept.filter(({ label }) => label === 1).length;
    range.minimum = Math.min(range.minimum, kept.length);
    range.maximum = Math.max(range.maximum, kept.length);
    await file.write(`${JSON.stringify(await groupRow(group, kept, number, spool))}\n`);
  }
  const prompts = file.rows;
  if (prompts === 0) {
    throw new InputError(
      "no-responses",
      `group: expected responses that are chosen or rejected, got ${count.conflicts} that are both`,
      "give pairs that agree with each other",
    );
  }
  await file.finish();
  const responsesPerPrompt = { ...range, mean: count.responses / prompts };
  return { file: out, pairs, prompts, ...count, responsesPerPrompt, rejected: rejections.rows };
}

interface GroupedResponse {
  readonly text: SpooledText;
  /** 1 chosen, 0 rejected, null both. */
  label: 0 | 1 | null;
}

interface Group {
  readonly source: string;
  readonly subset: string | null;
  readonly prompt: SpooledText;
  readonly responses: Map<string, GroupedResponse>;
}

async function addPair(
  { source, subset, prompt, chosen, rejected }: PreferencePair,
  groups: Map<string, Group>,
  spool: TextSpool,
): Promise<void> {
  const key = digest(JSON.stringify([source, subset, prompt]));
  let group = groups.get(key);
  if (!group) {
    group = { source, subset, prompt: await spool.add(JSON.stringify(prompt)), responses: new Map() };
    groups.set(key, group);
  }
  for (const [content, label] of [
    [chosen, 1],
    [rejected, 0],
  ] as const) {
    const known = group.responses.get(digest(content));
    if (!known)
      group.responses.set(digest(content), { text: await spool.add(JSON.stringify(content)), label });
    else if (known.label !== label) known.label = null;
  }
}

async function groupRow(
  { source, subset, prompt }: Group,
  responses: readonly GroupedResponse[],
  number: number,
  spool: TextSpool,
): Promise<GroupRow> {
  const texts = await spool.read([prompt, ...responses.map(({ text }) => text)]);
  const [messages, ...contents] = texts.map((text) => JSON.parse(text));
  return {
    id: `${source}-${number}`,
    prompt: messages,
    responses: contents,
    labels: responses.map(({ label }) => label!),
    ...(subset === null ? {} : { subset }),
  };
}

/** 132 bits, as a short string. */
function digest(text: string): string {
  return createHash("sha256").update(text).digest("base64url").slice(0, 22);
}
