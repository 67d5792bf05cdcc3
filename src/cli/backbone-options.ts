import { readFile } from "node:fs/promises";
import { type Command, Option } from "commander";
import type { BackboneDtype } from "../backbone/arithmetic.ts";
import type { ChatOptions } from "../chat/chat.ts";
import type { Embedder } from "../embedding/embedder.ts";
import type { Device } from "../engine/devices.ts";
import { InputError } from "../errors.ts";
import { parseIds, parseThreads, pick } from "./flags.ts";
import { watchQuantizing } from "./quantizing.ts";

/** What decides how a conversation becomes token ids. */
export interface ChatFlags {
  chatTemplate?: string;
  gatingPattern?: number[];
  bos?: "on" | "off";
  compat?: boolean;
}

/** Options of every command that runs a backbone. */
export interface BackboneFlags extends ChatFlags {
  device?: "auto" | Device;
  threads?: number;
  dtype?: "auto" | BackboneDtype;
}

/** A backbone and its chat, as a command's options ask for them. */
export async function openForFlags(location: string, flags: BackboneFlags): Promise<Embedder> {
  const { openEmbedder } = await import("../embedding/embedder.ts");
  const options = { ...(await chatOptions(flags)), ...pick(flags, ["device", "dtype", "threads"]) };
  return watchQuantizing((watch) => openEmbedder(location, { ...options, ...watch }));
}

/** Adds the options for backbones that lack a template, a known family or a BOS rule. */
export function withBackboneOptions(command: Command): Command {
  return command
    .option("--chat-template <file>", "Jinja chat template, for a backbone without one")
    .option("--gating-pattern <ids>", "token ids whose last occurrence begins at the gating token", parseIds)
    .addOption(new Option("--bos <when>", "whether conversations begin with BOS").choices(["on", "off"]))
    .option("--compat", "let special tokens inside messages act, as Hugging Face does")
    .addOption(
      new Option(
        "--dtype <type>",
        "arithmetic of the backbone; f16 is for GPUs, int8 and int4 quantize the weights, once",
      ).choices(["auto", "f32", "f16", "int8", "int4"]),
    )
    .addOption(
      new Option(
        "--device <name>",
        "where the backbone computes; auto is CUDA if it starts, else the CPU",
      ).choices(["auto", "cpu", "cuda", "webgpu"]),
    )
    .option("--threads <n>", "threads for the backbone", parseThreads);
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
