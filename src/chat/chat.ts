import { createHash } from "node:crypto";
import { InputError } from "../errors.ts";
import { type ChatFiles, readChatFiles, requireTemplate } from "./chat-files.ts";
import { parseChatTemplate } from "./chat-template.ts";
import { ConversationEncoder, type EncodedConversation } from "./conversation-encoder.ts";
import { trainedBos } from "./known-checkpoints.ts";
import type { Message } from "./messages.ts";
import { type PolicyTemplate, policyOf } from "./policy-template.ts";
import { type BosRule, bosTokenOf, controlTokens, decideBos } from "./special-tokens.ts";
import { buildTokenizer, type Tokenizer } from "./tokenizer.ts";

export type { BosOutcome, EncodedConversation } from "./conversation-encoder.ts";
export type { BosRule } from "./special-tokens.ts";

export interface ChatOptions {
  /** Text of a Jinja chat template. Default: the checkpoint's own. */
  readonly chatTemplate?: string;
  /**
   * Token ids of the end of the user's turn and the assistant's header: the gating position becomes the first token of
   * their last occurrence. Default: the first token after the last prompt message's content.
   */
  readonly gatingPattern?: readonly number[];
  /** The checkpoint's name on the hub, for what is known of its training. Default: as the path says, in the hub's cache. */
  readonly checkpoint?: string;
  /** Whether conversations begin with the BOS token. Default: see {@link openChat}. */
  readonly bos?: "on" | "off";
  /**
   * `"text"` (default): special tokens written inside messages stay text. `"compat"`: they become tokens, as in Hugging
   * Face's pipelines, and a message can move the gating position.
   */
  readonly specialTokens?: "text" | "compat";
}

/** Messages → token ids, for one checkpoint. */
export interface Chat {
  /** sha256 of everything that decides ids and gating positions. */
  readonly fingerprint: string;
  readonly bos: "on" | "off";
  /** What decided `bos`. */
  readonly bosRule: BosRule;
  /**
   * The highest id in the vocabulary, added tokens included. A backbone must have more rows of embeddings than that;
   * conversations need not use the highest ids, so a checkpoint whose embedding is smaller is at fault, not a message.
   */
  readonly maxId: number;
  /**
   * Encodes a prompt and the assistant's response to it.
   *
   * @throws {InputError} `bad-messages`; `template-refused` and `bad-chat-template` from the template; `no-gating-token`
   *   when the gating position cannot be determined.
   */
  encode(messages: readonly Message[]): EncodedConversation;
  /** Encodes a prompt with the generation header, the part that all its responses share. */
  encodePrompt(messages: readonly Message[]): number[];
  /**
   * Follows the tokens of a response, from `promptLength` on, through its text.
   *
   * @returns Per token up to the one that completes the response: UTF-16 units of its content that have been read. A token that ends
   *   inside a character leaves it to the one that completes it. What the template leaves out, white space mostly, goes with the token
   *   after it, at the end with the last one. None where the response leaves no token.
   * @throws {InputError} As `encode`; `no-response-end` where the template does not show where the response ends.
   *
   * Cost: another encoding.
   */
  responseEnds(messages: readonly Message[]): number[];
  /** Encodes text in which control tokens are written out and act; BOS as in conversations. Text from strangers needs a reader first. */
  encodeText(text: string): number[];
  /** What it takes to read text that this template has rendered. */
  readonly template: PolicyTemplate;
  /** The vocabulary's entries for ids, as Hugging Face's `convert_ids_to_tokens` names them. */
  tokensOf(ids: readonly number[]): string[];
}

/**
 * Opens the tokenizer and chat template of a Hugging Face directory.
 *
 * Rendering and tokenizing are two steps, `apply_chat_template` and then the tokenizer without its own special tokens.
 * Ids equal Hugging Face's for every conversation that holds no control token; with `specialTokens: "compat"` for all.
 * Control tokens are the added tokens that `tokenizer.json` calls special, those that the configuration names (and `</s>`
 * where BOS is `<s>`), those written `<|…|>` (checkpoints flag them carelessly), and those that the template writes around
 * a prompt. Other added tokens (Gemma's line breaks and HTML tags) are vocabulary and match anywhere.
 *
 * BOS begins a conversation once or not at all, never twice. By default it is there if the template writes it, or if
 * `tokenizer_config.json` has `add_bos_token: true`, or if that does not say and the post-processor of `tokenizer.json`
 * adds one; a few checkpoints are known, by `checkpoint`, to have been trained otherwise. `bos: "on"` adds it where the template does not, `"off"` removes it where the template does. `bosRule` says
 * which of these decided, and every encoding what became of BOS.
 *
 * @throws {InputError} `missing-tokenizer`, `bad-tokenizer`, `missing-chat-template`, `bad-chat-template`, `missing-bos`
 *
 * @example
 * const chat = await openChat("models/tiny");
 * const { ids, gatingPosition } = chat.encode([
 *   { role: "user", content: "Name a river." },
 *   { role: "assistant", content: "The Rhine." },
 * ]);
 */
export async function openChat(directory: string, options: ChatOptions = {}): Promise<Chat> {
  return chatFromFiles(await readChatFiles(directory), directory, options);
}

/** {@link openChat} for files that were read already; chats may share a tokenizer, which is slow to build. */
export function chatFromFiles(
  files: ChatFiles,
  directory: string,
  options: ChatOptions = {},
  tokenizer: Tokenizer = buildTokenizer(files.tokenizer, files.config),
): Chat {
  const source = options.chatTemplate ?? requireTemplate(files, directory);
  if (options.gatingPattern?.length === 0) {
    throw new RangeError("openChat: gatingPattern must hold at least one id, got []");
  }
  const template = parseChatTemplate(source, files.specialTokens);
  const control = controlTokens(files, tokenizer, template);
  const bosToken = bosTokenOf(files, tokenizer);
  const trained = trainedBos(options.checkpoint ?? directory);
  const { bos, rule: bosRule } = decideBos(options.bos, trained, files, tokenizer, template, bosToken);
  if (bos === "on" && bosToken === null) {
    throw new InputError(
      "missing-bos",
      `${directory}: expected a BOS token, got none in tokenizer_config.json or special_tokens_map.json`,
      "leave BOS out: --bos off",
    );
  }
  const mode = options.specialTokens ?? "text";
  const encoder = new ConversationEncoder(
    tokenizer,
    template,
    mode === "text" ? control : null,
    bos,
    bosToken?.id ?? null,
  );
  const { gatingPattern = null } = options;
  return {
    fingerprint: fingerprint(files, {
      template: source,
      specialTokens: files.specialTokens,
      bos,
      mode,
      gatingPattern,
    }),
    bos,
    bosRule,
    maxId: tokenizer.maxId,
    encode: (messages) => encoder.encode(messages, gatingPattern),
    encodePrompt: (messages) => encoder.encodePrompt(messages),
    responseEnds: (messages) => encoder.responseEnds(messages),
    encodeText: (text) => encoder.encodeText(text),
    template: policyOf(directory, source, files, control),
    tokensOf: (ids) => ids.map((id) => tokenizer.tokenOf(id)),
  };
}

function fingerprint(files: ChatFiles, settings: object): string {
  return createHash("sha256").update(files.tokenizerBytes).update(JSON.stringify(settings)).digest("hex");
}
