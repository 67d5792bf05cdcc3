import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { InputError } from "../errors.ts";

/** What a Hugging Face directory says about turning messages into token ids. */
export interface ChatFiles {
  /** `tokenizer.json`, as bytes (for hashing) and parsed. */
  readonly tokenizerBytes: Buffer;
  readonly tokenizer: unknown;
  readonly config: Record<string, unknown>;
  /** `bos_token`, `eos_token`, … → their text. Only those that the checkpoint sets. */
  readonly specialTokens: Readonly<Record<string, string>>;
  readonly chatTemplate: string | null;
}

const SPECIAL_TOKENS = [
  "bos_token",
  "eos_token",
  "pad_token",
  "unk_token",
  "sep_token",
  "cls_token",
  "mask_token",
];

/**
 * Reads `tokenizer.json`, and where they exist `tokenizer_config.json`, `special_tokens_map.json` and the chat template:
 * `chat_template.jinja`, or `additional_chat_templates/default.jinja`, or else the one in `tokenizer_config.json`.
 *
 * @throws {InputError} `missing-tokenizer`, `malformed-json`, `bad-chat-template`
 */
export async function readChatFiles(directory: string): Promise<ChatFiles> {
  const [tokenizerBytes, config, specialTokensMap, template, named] = await Promise.all([
    readIfThere(join(directory, "tokenizer.json")),
    readObject(join(directory, "tokenizer_config.json")),
    readObject(join(directory, "special_tokens_map.json")),
    readIfThere(join(directory, "chat_template.jinja")),
    readIfThere(join(directory, "additional_chat_templates", "default.jinja")),
  ]);
  if (tokenizerBytes === null) {
    throw new InputError(
      "missing-tokenizer",
      `${directory}: expected tokenizer.json, got none`,
      "use a checkpoint with a Hugging Face fast tokenizer, or convert its tokenizer to tokenizer.json",
    );
  }
  const specialTokens: Record<string, string> = {};
  for (const name of SPECIAL_TOKENS) {
    const token = tokenText(config[name]) ?? tokenText(specialTokensMap[name]);
    if (token !== null) specialTokens[name] = token;
  }
  return {
    tokenizerBytes,
    tokenizer: parseJson(tokenizerBytes, join(directory, "tokenizer.json")),
    config,
    specialTokens,
    chatTemplate: (template ?? named)?.toString("utf8") ?? templateOf(config.chat_template, directory),
  };
}

/** The checkpoint's chat template. @throws {InputError} `missing-chat-template` */
export function requireTemplate({ chatTemplate }: ChatFiles, directory: string): string {
  if (chatTemplate !== null) return chatTemplate;
  throw new InputError(
    "missing-chat-template",
    `${directory}: expected a chat template, got none in tokenizer_config.json or chat_template.jinja`,
    "pass the template that the model was trained with: --chat-template FILE",
  );
}

/** A template is text, or there are several by name, of which `default` is the one for conversations. */
function templateOf(value: unknown, directory: string): string | null {
  if (value === undefined || value === null) return null;
  if (typeof value === "string") return value;
  const named = Array.isArray(value)
    ? value.find((entry) => entry?.name === "default")?.template
    : (value as { default?: unknown }).default;
  if (typeof named === "string") return named;
  throw new InputError(
    "bad-chat-template",
    `${directory}: expected chat_template to be text or to hold a template named "default", got ${namesOf(value)}`,
    "pass the template to use with --chat-template FILE",
  );
}

function namesOf(value: unknown): string {
  const names = Array.isArray(value) ? value.map((entry) => entry?.name) : Object.keys(value as object);
  return names.length === 0 ? "none" : names.map((name) => JSON.stringify(name)).join(", ");
}

/** Special tokens are written as text or as `{ "content": text, … }`. */
function tokenText(value: unknown): string | null {
  if (typeof value === "string") return value;
  const content = (value as { content?: unknown } | null | undefined)?.content;
  return typeof content === "string" ? content : null;
}

async function readObject(path: string): Promise<Record<string, unknown>> {
  const bytes = await readIfThere(path);
  if (bytes === null) return {};
  const value = parseJson(bytes, path);
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new InputError("malformed-json", `${path}: expected a JSON object`, "download the file again");
  }
  return value as Record<string, unknown>;
}

function parseJson(bytes: Buffer, path: string): unknown {
  try {
    return JSON.parse(bytes.toString("utf8"));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new InputError(
      "malformed-json",
      `${path}: expected JSON, got ${reason}`,
      "download the file again",
    );
  }
}

async function readIfThere(path: string): Promise<Buffer | null> {
  try {
    return await readFile(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
}
