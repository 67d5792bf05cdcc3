import { InputError } from "../errors.ts";
import type { Chat } from "./chat.ts";
import { type DecodedConversation, decodedTextReader } from "./decoded-text.ts";
import type { Message, Scorable } from "./messages.ts";
import { openPolicyTemplate } from "./policy-templates.ts";

/** Text from trainers → what a model scores. Its methods throw what {@link decodedTextReader} throws. */
export interface TextReader {
  /** @param prompt Where the trainer sends it too: what the text must begin with. */
  read(text: string, prompt?: string): Scorable;
  /** For trainers that send a prompt's messages and a response's text. */
  readAnswer(prompt: readonly Message[], response: string): Scorable;
}

/**
 * Opens a way to read text that was decoded with control tokens kept.
 *
 * - `raw`: the policy has the reward model's own template. The text's own tokens are scored, with BOS as the model wants it and without
 *   padding; a response that ended its turn gets the template's whole ending, one that was cut off stays open.
 * - `retemplate=NAME`: the policy has another template ({@link openPolicyTemplate}). The text is split into messages, which the
 *   reward model's template renders anew, ended like all messages.
 *
 * @param mode `raw` or `retemplate=NAME`. @param chat The reward model's own; asked for only in mode `raw`.
 * @throws {InputError} `bad-text-mode`; what opening the chat or the policy's template throws.
 */
export async function openTextReader(mode: string, chat: () => Promise<Chat>): Promise<TextReader> {
  if (mode === "raw") {
    const own = await chat();
    return readerOf(decodedTextReader(own.template), ({ text }) => ({ ids: own.encodeText(text) }));
  }
  const [, name] = /^retemplate=(.+)$/.exec(mode) ?? [];
  if (name === undefined) {
    throw new InputError(
      "bad-text-mode",
      `text mode: expected raw or retemplate=NAME, got ${JSON.stringify(mode)}`,
      "raw if the policy has the reward model's own chat template, else for example retemplate=chatml",
    );
  }
  return readerOf(decodedTextReader(await openPolicyTemplate(name)), ({ prompt, response }) => [
    ...prompt,
    { role: "assistant", content: response },
  ]);
}

function readerOf(
  reader: ReturnType<typeof decodedTextReader>,
  scorable: (decoded: DecodedConversation) => Scorable,
): TextReader {
  return {
    read: (text, prompt) => scorable(reader.read(text, prompt)),
    readAnswer: (prompt, response) => scorable(reader.readAnswer(prompt, response)),
  };
}
