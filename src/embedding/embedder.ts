import { type Backbone, type BackboneOptions, openBackbone } from "../backbone/backbone.ts";
import { isolationPays } from "../backbone/isolated/isolated-backbone.ts";
import { type Chat, type ChatOptions, openChat } from "../chat/chat.ts";
import { requireVocabulary } from "../chat/vocabulary.ts";
import { locateCheckpoint } from "../checkpoint/location.ts";
import type { ChatSettings } from "./manifest.ts";

/** What `embed` works with: a backbone, its chat, and what manifests record of the chat. */
export interface Embedder extends AsyncDisposable {
  /** What the same checkpoint is found by again: a repository on the hub with the commit that was opened. */
  readonly location: string;
  readonly backbone: Backbone;
  readonly chat: Chat;
  readonly chatSettings: ChatSettings;
}

export interface EmbedderOptions extends ChatOptions, BackboneOptions {
  /** Default: as {@link isolationPays} says, so that `embed` reads, tokenizes and writes while a real model computes. */
  readonly isolate?: boolean;
}

/**
 * Opens a checkpoint for embedding: backbone, tokenizer and chat template.
 *
 * @param location A checkpoint directory, `tiny`, the backbone that comes with the package, `org/name[@revision]` on the hub, or a
 *   remote engine that serves one of these (docs/remote-backbones.md).
 * @throws {InputError} What `openChat` and `openBackbone` refuse.
 * @example
 * await using embedder = await openEmbedder("tiny");
 * const { backbone, chat, chatSettings, location } = embedder;
 * await embed(backbone, chat, { chatSettings, location, kind: "ratings", data: [data], out: "ratings" });
 */
export async function openEmbedder(location: string, options: EmbedderOptions = {}): Promise<Embedder> {
  const { directory, name, checkpoint } = await locateCheckpoint(location);
  const chat = await openChat(directory, { checkpoint, ...options });
  const isolate = options.isolate ?? (await isolationPays(name));
  const backbone = await openBackbone(name, { ...options, isolate });
  try {
    requireVocabulary(chat, backbone.vocabSize, name);
  } catch (error) {
    await backbone.close();
    throw error;
  }
  const chatSettings = chatSettingsOf(chat, options);
  return { location: name, backbone, chat, chatSettings, [Symbol.asyncDispose]: () => backbone.close() };
}

/** What manifests record of a chat and of the options that it was opened with. */
export const chatSettingsOf = (chat: Chat, options: ChatOptions): ChatSettings => ({
  fingerprint: chat.fingerprint,
  bos: chat.bos,
  specialTokens: options.specialTokens ?? "text",
  chatTemplate: options.chatTemplate ?? null,
  gatingPattern: options.gatingPattern ?? null,
});
