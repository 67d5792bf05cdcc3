import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { type ChatFiles, readChatFiles } from "../../src/chat/chat-files.ts";

export const tinyDirectory = fileURLToPath(new URL("../../models/tiny", import.meta.url));
export const shared = fileURLToPath(new URL("../../../shared", import.meta.url));
export const hasShared = existsSync(shared);

/** Title of tests that read `../shared`. */
export const withShared = (title: string): string => (hasShared ? title : `${title} (skipped: no ../shared)`);

/** The embedded checkpoint's files, with parts exchanged. */
export async function tinyFiles(changes: Partial<ChatFiles> = {}): Promise<ChatFiles> {
  return { ...(await readChatFiles(tinyDirectory)), ...changes };
}

/** The files of a tokenizer in `../shared/tokenizers`, where `tokenizer.json` is compressed. */
export function sharedTokenizer(name: string): ChatFiles {
  const bytes = gunzipSync(readFileSync(`${shared}/tokenizers/${name}/tokenizer.json.gz`));
  const config = JSON.parse(readFileSync(`${shared}/tokenizers/${name}/tokenizer_config.json`, "utf8"));
  const specialTokens: Record<string, string> = {};
  for (const key of ["bos_token", "eos_token", "pad_token", "unk_token"]) {
    if (typeof config[key] === "string") specialTokens[key] = config[key];
  }
  return {
    tokenizerBytes: bytes,
    tokenizer: JSON.parse(bytes.toString("utf8")),
    config,
    specialTokens,
    chatTemplate: config.chat_template ?? null,
  };
}
