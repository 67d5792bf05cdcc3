// `score --explain-tokens`: what the model reads of a conversation.

import pc from "picocolors";
import type { Chat } from "../chat/chat.ts";
import type { Message } from "../chat/messages.ts";
import { integer, print, table, visible } from "./output.ts";

/** A conversation as the model reads it. */
export interface TokenExplanation {
  /** What the chat template rendered. */
  readonly text: string;
  readonly ids: readonly number[];
  /** The vocabulary's entries for the ids. */
  readonly tokenStrings: readonly string[];
  readonly bos: "on" | "off";
  /** Index of the token whose hidden state the gate reads. */
  readonly gatingPosition: number;
  /** Index of the response's first token. */
  readonly responseStart: number;
}

export function explainTokens(chat: Chat, messages: readonly Message[]): TokenExplanation {
  const { text, ids, gatingPosition, promptLength } = chat.encode(messages);
  return {
    text,
    ids,
    tokenStrings: chat.tokensOf(ids),
    bos: chat.bos,
    gatingPosition,
    responseStart: promptLength,
  };
}

/** @param gated Whether the model reads the gating token. */
export function printTokens(heading: string, explanation: TokenExplanation, gated: boolean): void {
  const { text, ids, tokenStrings, bos, gatingPosition, responseStart } = explanation;
  const response = ids.length - responseStart;
  print(`${heading}  ${integer(ids.length)} tokens, ${integer(response)} of them the response; BOS ${bos}`);
  print(pc.dim("rendered text"));
  for (const line of text.replace(/\n$/, "").split("\n")) print(`  ${visible(line)}`);
  const marks = (position: number): string[] => [
    ...(gated && position === gatingPosition ? [pc.green("← gating token")] : []),
    ...(position === responseStart ? [pc.green("← the response starts")] : []),
    ...(position === ids.length - 1 ? [pc.green("← last token: the rewards")] : []),
  ];
  const columns = [
    { title: "position", align: "right" },
    { title: "id", align: "right" },
    { title: "token" },
    { title: "" },
  ] as const;
  const rows = ids.map((id, i) => [`${i}`, `${id}`, visible(tokenStrings[i]!), marks(i).join(" ")]);
  print(table(columns, rows));
  print();
}
