import type { HiddenStatesRequest } from "../backbone/backbone.ts";
import type { Chat, EncodedConversation } from "../chat/chat.ts";
import type { Message } from "../chat/messages.ts";
import { encodeWithin, type FittingConversation, type OverlongPolicy } from "../chat/overlong.ts";
import type { PreferencePair, RatedConversation } from "../data/records.ts";
import { InputError } from "../errors.ts";
import type { RowInfo } from "./part.ts";

/** A row as token ids, ready for the backbone. */
export interface EncodedRow {
  readonly info: RowInfo;
  readonly requests: readonly HiddenStatesRequest[];
  /** Tokens of each response, its end-of-turn token included. */
  readonly responseTokens: readonly number[];
  /** In the order of the objectives, NaN = missing; empty for a pair. */
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

/** A rated conversation: the hidden state of its last token is wanted. */
export function encodeRating(
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
  { chat, maxTokens, overlong }: EncodeContext,
): EncodedRow | RejectedRow {
  const answered = (content: string): Message[] => [...record.prompt, { role: "assistant", content }];
  let chosen = encodeOrRefuse(chat, answered(record.chosen), maxTokens, overlong);
  let rejected = encodeOrRefuse(chat, answered(record.rejected), maxTokens, overlong);
  if (!("kind" in chosen) && !("kind" in rejected) && chosen.droppedTurns !== rejected.droppedTurns) {
    // Both responses must answer the same prompt, so the longer one decides how many turns are dropped.
    const longest = chosen.droppedTurns > rejected.droppedTurns ? chosen : rejected;
    const prompt = longest.messages.slice(0, -1);
    const shortened = (content: string): Message[] => [...prompt, { role: "assistant", content }];
    chosen = encodeOrRefuse(chat, shortened(record.chosen), maxTokens, "reject");
    rejected = encodeOrRefuse(chat, shortened(record.rejected), maxTokens, "reject");
  }
  if ("kind" in chosen) return { ...chosen, rejected: `chosen: ${chosen.rejected}` };
  if ("kind" in rejected) return { ...rejected, rejected: `rejected: ${rejected.rejected}` };
  const [a, b] = [chosen.encoded, rejected.encoded];
  const { id, source, subset, promptHash, margin } = record;
  return {
    info: { row, id, source, subset, promptHash, ...(margin === undefined ? {} : { margin }) },
    requests: [
      { ids: a.ids, positions: [a.gatingPosition, a.ids.length - 1] },
      { ids: b.ids, positions: [b.ids.length - 1] },
    ],
    responseTokens: [responseTokens(a), responseTokens(b)],
    labels: [],
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
