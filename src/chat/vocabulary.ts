import { InputError } from "../errors.ts";
import type { Chat } from "./chat.ts";

/**
 * Refuses a tokenizer that can give ids for which a backbone has no row of its embedding.
 *
 * @param vocabSize Rows of the embedding. @param where For the message.
 * @throws {InputError} `vocabulary-too-large`
 */
export function requireVocabulary(chat: Pick<Chat, "maxId">, vocabSize: number, where: string): void {
  if (chat.maxId < vocabSize) return;
  throw new InputError(
    "vocabulary-too-large",
    `${where}: expected token ids up to ${vocabSize - 1}, as many as the embedding has rows, got a tokenizer with id ${chat.maxId}`,
    "use the tokenizer that the checkpoint was trained with, or resize its embedding to the tokenizer",
  );
}
