import { InputError } from "../errors.ts";
import type { Chat } from "./chat.ts";
import { type DecodedConversation, decodedTextReader } from "./decoded-text.ts";
import type { DecodedText, Message, TokenizedConversation } from "./messages.ts";
import { openPolicyTemplate } from "./policy-templates.ts";

/** Decoded text → the messages or the token ids that a model scores. Throws what {@link decodedTextReader}'s methods throw. */
export type TextReader = (given: DecodedText) => readonly Message[] | TokenizedConversation;

/**
 * Opens a way to read text that was decoded with control tokens kept.
 *
 * - `raw`: the policy has the reward model's own template. The text's own tokens are scored, with BOS as the model wants it and without
 *   padding; a response that ended its turn gets the template's whole ending, one that was cut off stays open.
 * - `retemplate=NAME`: the policy has another template ({@link openPolicyTemplate}), which is opened at once. The text is split into
 *   messages, which the reward model's template renders anew, ended like all messages.
 *
 * @param mode `raw` or `retemplate=NAME`. @param maxMessages See {@link decodedTextReader}.
 * @returns What makes the reader; the reward model's own chat is asked for in mode `raw` alone.
 * @throws {InputError} `bad-text-mode`; what opening the policy's template throws.
 */
export async function openTextMode(
  mode: string,
  maxMessages?: number,
): Promise<(chat: () => Promise<Chat>) => Promise<TextReader>> {
  if (mode === "raw") {
    return async (chat) => {
      const own = await chat();
      const reader = decodedTextReader(own.template, maxMessages);
      return readerOf(reader, ({ text }) => ({ ids: own.encodeText(text) }));
    };
  }
  const [, name] = /^retemplate=(.+)$/.exec(mode) ?? [];
  if (name === undefined) {
    throw new InputError(
      "bad-text-mode",
      `text mode: expected raw or retemplate=NAME, got ${JSON.stringify(mode)}`,
      "raw if the policy has the reward model's own chat template, else for example retemplate=chatml",
    );
  }
  const reader = decodedTextReader(await openPolicyTemplate(name), maxMessages);
  const messages = readerOf(reader, ({ prompt, response }) => [
    ...prompt,
    { role: "assistant", content: response },
  ]);
  return async () => messages;
}

const readerOf =
  (
    reader: ReturnType<typeof decodedTextReader>,
    scorable: (decoded: DecodedConversation) => ReturnType<TextReader>,
  ): TextReader =>
  (given) =>
    scorable(
      "response" in given
        ? reader.readAnswer(given.prompt, given.response)
        : reader.read(given.text, given.prompt),
    );
