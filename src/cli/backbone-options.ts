import { readFile } from "node:fs/promises";
import { type Command, Option } from "commander";
import type { Backbone } from "../backbone/backbone.ts";
import type { Chat, ChatOptions } from "../chat/chat.ts";
import type { ChatSettings } from "../embedding/manifest.ts";
import { InputError } from "../errors.ts";
import { parseIds, parsePositiveInteger, pick } from "./flags.ts";

/** What decides how a conversation becomes token ids. */
export interface ChatFlags {
  chatTemplate?: string;
  gatingPattern?: number[];
  bos?: "on" | "off";
  compat?: boolean;
}

/** Options of every command that runs a backbone. */
export interface BackboneFlags extends ChatFlags {
  threads?: number;
}

/** A backbone and the chat that goes with it, as a command's options ask for them. */
export async function openForFlags(
  location: string,
  flags: BackboneFlags,
): Promise<{ backbone: Backbone; chat: Chat; settings: ChatSettings }> {
  const [{ openBackbone }, { openChat }, { resolveLocation }] = await Promise.all([
    import("../backbone/backbone.ts"),
    import("../chat/chat.ts"),
    import("../checkpoint/location.ts"),
  ]);
  const directory = resolveLocation(location);
  const options = await chatOptions(flags);
  const chat = await openChat(directory, options);
  const backbone = await openBackbone(directory, pick(flags, ["threads"]));
  return { backbone, chat, settings: chatSettings(chat, options) };
}

/** Adds the options for backbones that lack a template, a known family or a BOS rule. */
export function withBackboneOptions(command: Command): Command {
  return command
    .option("--chat-template <file>", "Jinja chat template, for a backbone without one")
    .option("--gating-pattern <ids>", "token ids whose last occurrence begins at the gating token", parseIds)
    .addOption(new Option("--bos <when>", "whether conversations begin with BOS").choices(["on", "off"]))
    .option("--compat", "let special tokens inside messages act, as Hugging Face does")
    .option("--threads <n>", "threads for the backbone", parsePositiveInteger);
}

/** Reads the flags into the options of `openChat`. */
export async function chatOptions(flags: ChatFlags): Promise<ChatOptions> {
  return {
    ...(flags.chatTemplate === undefined ? {} : { chatTemplate: await readTemplate(flags.chatTemplate) }),
    ...(flags.gatingPattern === undefined ? {} : { gatingPattern: flags.gatingPattern }),
    ...(flags.bos === undefined ? {} : { bos: flags.bos }),
    ...(flags.compat ? { specialTokens: "compat" as const } : {}),
  };
}

/** What a manifest records of a chat, so that a model can open the same one. */
function chatSettings(chat: Chat, options: ChatOptions): ChatSettings {
  return {
    fingerprint: chat.fingerprint,
    bos: chat.bos,
    specialTokens: options.specialTokens ?? "text",
    chatTemplate: options.chatTemplate ?? null,
    gatingPattern: options.gatingPattern ?? null,
  };
}

async function readTemplate(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch {
    throw new InputError(
      "missing-file",
      `--chat-template: expected a readable file, got ${path}`,
      "give the path of a Jinja template",
    );
  }
}
