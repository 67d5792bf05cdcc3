// `score --explain-tokens`: what the model reads of a conversation.

import pc from "picocolors";
import type { BosOutcome, BosRule, Chat } from "../chat/chat.ts";
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
  /** What decided it. */
  readonly bosRule: BosRule;
  /** What became of BOS in this conversation. */
  readonly bosOutcome: BosOutcome;
  /** Index of the token whose hidden state the gate reads. */
  readonly gatingPosition: number;
  /** Index of the response's first token. */
  readonly responseStart: number;
}

export function explainTokens(chat: Chat, messages: readonly Message[]): TokenExplanation {
  const { text, ids, gatingPosition, promptLength, bos: bosOutcome } = chat.encode(messages);
  return {
    text,
    ids,
    tokenStrings: chat.tokensOf(ids),
    bos: chat.bos,
    bosRule: chat.bosRule,
    bosOutcome,
    gatingPosition,
    responseStart: promptLength,
  };
}

const OUTCOMES: Record<BosOutcome, string> = {
  written: "written by the template",
  added: "added to what the template wrote",
  removed: "taken out of what the template wrote",
  absent: "not written by the template",
};

/** `BOS on (the chat template writes it): written by the template`. */
function bosLine({ bos, bosRule, bosOutcome }: TokenExplanation): string {
  const rules: Record<BosRule, string> = {
    caller: `asked for with --bos, now or when the model was trained`,
    training: "the checkpoint is known to have been trained without it, whatever its template writes",
    template: "the chat template writes it",
    add_bos_token: `tokenizer_config.json says add_bos_token: ${bos === "on"}`,
    post_processor: "the post-processor of tokenizer.json adds it",
    "nothing-adds-it": "neither the chat template nor the tokenizer adds it",
    "no-bos-token": "the checkpoint has no BOS token",
  };
  return `BOS ${bos} (${rules[bosRule]}): ${OUTCOMES[bosOutcome]}`;
}

/** @param gated Whether the model reads the gating token. */
export function printTokens(heading: string, explanation: TokenExplanation, gated: boolean): void {
  const { text, ids, tokenStrings, gatingPosition, responseStart } = explanation;
  const response = ids.length - responseStart;
  print(`${heading}  ${integer(ids.length)} tokens, ${integer(response)} of them the response`);
  print(bosLine(explanation));
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
