import { InputError } from "../errors.ts";
import type { AddedToken } from "./added-tokens.ts";
import type { ChatTemplate } from "./chat-template.ts";
import { cannotStayText, type Disguise, disguiseFor } from "./disguise.ts";
import { commonPrefix, contentEnd, findGatingPosition, tokenAt } from "./gating-position.ts";
import { type Message, validateConversation, validateMessages } from "./messages.ts";
import { endsInResponse } from "./response-ends.ts";
import { leadingTokens } from "./special-tokens.ts";
import type { EncodedStretch, Tokenizer } from "./tokenizer.ts";

/** What became of BOS: the template wrote it, it was added, it was taken out, or there was none to begin with. */
export type BosOutcome = "written" | "added" | "removed" | "absent";

/** A conversation as a backbone reads it. */
export interface EncodedConversation {
  readonly ids: number[];
  /** Index into `ids` of the token whose hidden state the gate reads. */
  readonly gatingPosition: number;
  /**
   * Tokens that the conversation shares with its prompt and generation header alone: the response starts here. A first
   * response token that merges with the header (a line break, say) is counted as response.
   */
  readonly promptLength: number;
  readonly bos: BosOutcome;
  /** What the chat template rendered. */
  readonly text: string;
}

interface EncodedPrompt {
  readonly messages: readonly Message[];
  readonly disguise: Disguise;
  readonly text: string;
  readonly stretches: readonly EncodedStretch[];
  readonly ids: readonly number[];
  /** Structural; filled in when first asked for. */
  gatingPosition: number | null;
}

/** A template and a tokenizer at work: render, split at control tokens, encode, find the gating position. */
export class ConversationEncoder {
  private readonly tokenizer: Tokenizer;
  private readonly template: ChatTemplate;
  /** Control tokens in messages become tokens. */
  private readonly compat: boolean;
  private readonly bos: "on" | "off";
  private readonly bosId: number | null;
  private readonly disguiseOf: (messages: readonly Message[]) => Disguise;
  private lastPrompt: EncodedPrompt | null = null;

  /** @param control Tokens that messages must not contain; null lets them act (`compat`). */
  constructor(
    tokenizer: Tokenizer,
    template: ChatTemplate,
    control: readonly AddedToken[] | null,
    bos: "on" | "off",
    bosId: number | null,
  ) {
    this.tokenizer = tokenizer;
    this.template = template;
    this.compat = control === null;
    this.bos = bos;
    this.bosId = bosId;
    this.disguiseOf = disguiseFor(
      control ?? [],
      template.source + tokenizer.addedTokens.map(({ content }) => content).join(""),
    );
  }

  encode(messages: readonly Message[], gatingPattern: readonly number[] | null): EncodedConversation {
    validateConversation(messages, "encode");
    const { disguised, disguise } = this.disguised(messages);
    const prompt = this.promptOf(messages.slice(0, -1), disguised.slice(0, -1), disguise);
    const text = this.render(messages, disguised, disguise, false);
    const stretches = this.tokenizer.encode(text, disguise);
    const ids = idsOf(stretches);
    const promptLength = commonPrefix(prompt.ids, ids);

    let gatingPosition: number;
    if (gatingPattern === null) {
      gatingPosition = prompt.gatingPosition ??= this.structuralPosition(prompt, disguised.slice(0, -1));
    } else {
      // Compat searches the whole conversation, as the reference does; otherwise a response must not move the gate.
      gatingPosition = findGatingPosition(this.compat ? ids : prompt.ids, gatingPattern);
    }
    if (gatingPosition >= promptLength && (gatingPattern === null || !this.compat)) {
      throw noGatingToken("the template renders the prompt differently once the response is there");
    }
    const { removed, added, outcome } = this.fixBos(ids, stretches, text);
    if (removed.includes(gatingPosition)) throw noGatingToken("it is the BOS token, which is left out");
    const moved = (position: number): number =>
      position - removed.filter((at) => at < position).length + added;
    return {
      ids,
      gatingPosition: moved(gatingPosition),
      promptLength: moved(promptLength),
      bos: outcome,
      text: disguise.remove(text),
    };
  }

  encodePrompt(messages: readonly Message[]): number[] {
    validateMessages(messages, "encodePrompt");
    const { disguised, disguise } = this.disguised(messages);
    const text = this.render(messages, disguised, disguise, true);
    const stretches = this.tokenizer.encode(text, disguise);
    const ids = idsOf(stretches);
    this.fixBos(ids, stretches, text);
    return ids;
  }

  /** Per token of the response: how much of it has been read; see `Chat.responseEnds`. */
  responseEnds(messages: readonly Message[]): number[] {
    validateConversation(messages, "responseEnds");
    const { disguised, disguise } = this.disguised(messages);
    const prompt = this.promptOf(messages.slice(0, -1), disguised.slice(0, -1), disguise);
    const text = this.render(messages, disguised, disguise, false);
    const stretches = this.tokenizer.encode(text, disguise);
    const render = (conversation: readonly Message[]) => this.template.render(conversation, false);
    const end = contentEnd(render, disguised, text, disguise.marker);
    if (end === null) throw noResponseEnd();
    const plain = (disguisedText: string): string => disguise.remove(disguisedText);
    return endsInResponse({
      response: messages.at(-1)!.content,
      rendered: plain(text),
      responseStart: commonPrefix(plain(prompt.text), plain(text)),
      responseEnd: plain(text.slice(0, end.rendered)).length,
      keptLength: plain(disguised.at(-1)!.content.slice(0, end.content)).length,
      firstToken: commonPrefix(prompt.ids, idsOf(stretches)),
      tokenEnds: this.endsOf(stretches, text, disguise),
    });
  }

  /** Per token: how much of the rendered text, undisguised, has been read. */
  private endsOf(stretches: readonly EncodedStretch[], text: string, disguise: Disguise): number[] {
    let read = 0;
    return stretches.flatMap(({ start, end, token, ids }) => {
      const stretch = disguise.remove(text.slice(start, end));
      const before = read;
      read += stretch.length;
      return token ? [read] : this.tokenizer.endsIn(stretch, ids).map((offset) => before + offset);
    });
  }

  /** Encodes text as it stands: control tokens in it act. */
  encodeText(text: string): number[] {
    const stretches = this.tokenizer.encode(text);
    const ids = idsOf(stretches);
    this.fixBos(ids, stretches, text);
    return ids;
  }

  /** Responses to one prompt usually come one after the other, so the last prompt is kept. */
  private promptOf(
    messages: readonly Message[],
    disguised: readonly Message[],
    disguise: Disguise,
  ): EncodedPrompt {
    const last = this.lastPrompt;
    if (last !== null && last.disguise === disguise && sameMessages(last.messages, messages)) return last;
    const text = this.render(messages, disguised, disguise, true);
    const stretches = this.tokenizer.encode(text, disguise);
    const copy = messages.map(({ role, content }) => ({ role, content }));
    this.lastPrompt = {
      messages: copy,
      disguise,
      text,
      stretches,
      ids: idsOf(stretches),
      gatingPosition: null,
    };
    return this.lastPrompt;
  }

  /** The first token after the last prompt message's content. */
  private structuralPosition(
    { text, stretches, disguise }: EncodedPrompt,
    disguised: readonly Message[],
  ): number {
    const render = (prompt: readonly Message[]) => this.template.render(prompt, true);
    const end = contentEnd(render, disguised, text, disguise.marker);
    if (end === null) throw noGatingToken("the template does not show where the last prompt message ends");
    const position = tokenAt(stretches, end.rendered, text, this.tokenizer, disguise);
    if (position === null) throw noGatingToken("the template writes nothing after the last prompt message");
    return position;
  }

  private disguised(messages: readonly Message[]): { disguised: readonly Message[]; disguise: Disguise } {
    const disguise = this.disguiseOf(messages);
    if (this.compat) return { disguised: messages, disguise };
    const disguised = messages.map(({ role, content }) => ({ role, content: disguise.apply(content) }));
    for (const { content } of disguised) {
      const hidden = this.tokenizer.normalizedTokens(content).find(({ id }) => disguise.ids.has(id));
      if (hidden)
        throw cannotStayText(`the tokenizer's normalizer turns part of a message into ${hidden.content}`);
    }
    return { disguised, disguise };
  }

  /** Renders disguised messages, and makes sure that the disguise changed nothing but itself. */
  private render(
    messages: readonly Message[],
    disguised: readonly Message[],
    disguise: Disguise,
    addGenerationPrompt: boolean,
  ): string {
    const text = this.template.render(disguised, addGenerationPrompt);
    if (disguised.every(({ content }, index) => content === messages[index]!.content)) return text;
    if (disguise.remove(text) !== this.template.render(messages, addGenerationPrompt)) {
      throw cannotStayText("the template looks for special tokens inside messages");
    }
    return text;
  }

  /** Makes `ids` begin with BOS once, or without it; gives the positions taken out and the number put in front. */
  private fixBos(
    ids: number[],
    stretches: readonly EncodedStretch[],
    text: string,
  ): { removed: readonly number[]; added: 0 | 1; outcome: BosOutcome } {
    const there = leadingTokens(stretches, text, this.bosId);
    const removed = this.bos === "on" ? there.slice(1) : there;
    for (const position of removed.toReversed()) ids.splice(position, 1);
    const added = this.bos === "on" && there.length === 0 ? 1 : 0;
    if (added) ids.unshift(this.bosId!);
    if (this.bos === "on") return { removed, added, outcome: added ? "added" : "written" };
    return { removed, added, outcome: removed.length > 0 ? "removed" : "absent" };
  }
}

function sameMessages(a: readonly Message[], b: readonly Message[]): boolean {
  return (
    a.length === b.length &&
    a.every(({ role, content }, index) => role === b[index]!.role && content === b[index]!.content)
  );
}

function idsOf(stretches: readonly EncodedStretch[]): number[] {
  const all: number[] = [];
  for (const { ids } of stretches) for (const id of ids) all.push(id);
  return all;
}

function noGatingToken(problem: string): InputError {
  return new InputError(
    "no-gating-token",
    `gating token: expected one after the prompt, but ${problem}`,
    "pass the ids that begin the assistant's turn with --gating-pattern, or another --chat-template FILE",
  );
}

function noResponseEnd(): InputError {
  return new InputError(
    "no-response-end",
    "trace: expected a template that shows where the response ends, got one that changes it there",
    "leave the trace out, or pass another template with --chat-template FILE",
  );
}
