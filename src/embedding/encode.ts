import type { HiddenStatesRequest } from "../backbone/backbone.ts";
import type { Chat, EncodedConversation } from "../chat/chat.ts";
import type { Message } from "../chat/messages.ts";
import { encodeWithin, type FittingConversation, type OverlongPolicy } from "../chat/overlong.ts";
import { finalAnswersOf } from "../data/best-of-n.ts";
import type { BestOfNRow, PreferencePair, RatedConversation } from "../data/records.ts";
import { InputError } from "../errors.ts";
import type { RowInfo } from "./part.ts";

/** A record that can become a row of an embedding set. */
export type Embeddable = RatedConversation | PreferencePair | BestOfNRow;

/** A row as token ids, ready for the backbone. */
export interface EncodedRow {
  readonly info: RowInfo;
  readonly requests: readonly HiddenStatesRequest[];
  /** Tokens of each response, its end-of-turn token included. */
  readonly responseTokens: readonly number[];
  /** Of a rating, in the order of the objectives, NaN = missing; of N responses, one each; empty for a pair. */
  readonly labels: readonly number[];
}

/** A row that does not fit. */
export interface RejectedRow {
  readonly rejected: string;
  readonly kind: "too-long" | "invalid";
}

export interface EncodeContext {
  readonly chat: Chat;
  readonly maxTokens: number;
  readonly overlong: OverlongPolicy;
  readonly objectives: readonly string[];
}

/** What the backbone is asked for a record. */
export function encodeRecord(
  record: Embeddable,
  row: number,
  context: EncodeContext,
): EncodedRow | RejectedRow {
  if (record.kind === "rating") return encodeRating(record, row, context);
  return record.kind === "pair" ? encodePair(record, row, context) : encodeBestOfN(record, row, context);
}

/** A rated conversation: the hidden state of its last token is wanted. */
function encodeRating(
  record: RatedConversation,
  row: number,
  { chat, maxTokens, overlong, objectives }: EncodeContext,
): EncodedRow | RejectedRow {
  const result = encodeOrRefuse(chat, record.messages, maxTokens, overlong);
  if ("kind" in result) return result;
  const { encoded } = result;
  const { id, source, promptHash } = record;
  return {
    info: { row, id, source, subset: null, promptHash },
    requests: [{ ids: encoded.ids, positions: [encoded.ids.length - 1] }],
    responseTokens: [responseTokens(encoded)],
    labels: objectives.map((name) => record.ratings[name] ?? Number.NaN),
  };
}

/** A preference pair: the gating token of their common prompt and the last token of each response are wanted. */
export function encodePair(
  record: PreferencePair,
  row: number,
  context: EncodeContext,
): EncodedRow | RejectedRow {
  const { id, source, subset, promptHash, prompt, chosen, rejected, margin } = record;
  const names = ["chosen", "rejected"];
  const encoded = encodeResponses(prompt, [chosen, rejected], (r) => names[r]!, context);
  if ("kind" in encoded) return encoded;
  const info = { row, id, source, subset, promptHash, ...(margin === undefined ? {} : { margin }) };
  return { info, ...encoded, labels: [] };
}

/** A prompt with N responses: its gating token and the last token of each response are wanted. */
function encodeBestOfN(record: BestOfNRow, row: number, context: EncodeContext): EncodedRow | RejectedRow {
  const { id, source, subset, promptHash, prompt, responses, labels } = record;
  const encoded = encodeResponses(prompt, responses, (r) => `responses[${r}]`, context);
  if ("kind" in encoded) return encoded;
  const finalAnswers = finalAnswersOf(record);
  return { info: { row, id, source, subset, promptHash, finalAnswers }, ...encoded, labels };
}

/** Responses to one prompt: the first request asks for the prompt's gating token too. One that does not fit refuses all. */
function encodeResponses(
  prompt: readonly Message[],
  responses: readonly string[],
  nameOf: (response: number) => string,
  { chat, maxTokens, overlong }: EncodeContext,
): Pick<EncodedRow, "requests" | "responseTokens"> | RejectedRow {
  const encodeAll = (asked: readonly Message[], policy: OverlongPolicy) => {
    const fitting: FittingConversation[] = [];
    for (const [r, content] of responses.entries()) {
      const result = encodeOrRefuse(chat, [...asked, { role: "assistant", content }], maxTokens, policy);
      if ("kind" in result) return { ...result, rejected: `${nameOf(r)}: ${result.rejected}` };
      fitting.push(result);
    }
    return fitting;
  };
  let fitting = encodeAll(prompt, overlong);
  if ("kind" in fitting) return fitting;
  const longest = fitting.reduce((most, one) => (one.droppedTurns > most.droppedTurns ? one : most));
  if (fitting.some(({ droppedTurns }) => droppedTurns !== longest.droppedTurns)) {
    // All responses must answer the same prompt, so the longest one decides how many turns are dropped.
    fitting = encodeAll(longest.messages.slice(0, -1), "reject");
    if ("kind" in fitting) return fitting;
  }
  return {
    requests: fitting.map(({ encoded: { ids, gatingPosition } }, r) => {
      return { ids, positions: r === 0 ? [gatingPosition, ids.length - 1] : [ids.length - 1] };
    }),
    responseTokens: fitting.map(({ encoded }) => responseTokens(encoded)),
  };
}

/** A template may refuse a conversation, for its roles say: then the row is invalid, and the others go on. */
function encodeOrRefuse(
  chat: Chat,
  messages: readonly Message[],
  maxTokens: number,
  overlong: OverlongPolicy,
): FittingConversation | RejectedRow {
  try {
    const result = encodeWithin(chat, messages, maxTokens, overlong);
    return "rejected" in result ? { ...result, kind: "too-long" } : result;
  } catch (error) {
    if (error instanceof InputError) return { rejected: error.message, kind: "invalid" };
    throw error;
  }
}

const responseTokens = ({ ids, promptLength }: EncodedConversation): number => ids.length - promptLength;
