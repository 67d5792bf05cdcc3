import { createHash } from "node:crypto";
import type { Message } from "../chat/messages.ts";

/**
 * The text by which two prompts count as the same one: Unicode NFC, runs of white space as one space, trimmed,
 * lower case. Copies of a prompt in different data sets differ in exactly these ways.
 */
export function normalizePrompt(text: string): string {
  return text.normalize("NFC").replace(/\s+/g, " ").trim().toLowerCase();
}

/**
 * A 128-bit hash of a prompt, as 32 hex digits: the key for splitting by prompt and for finding overlaps between
 * data sets. Roles count; a string is the same as one user message with that text.
 *
 * Cost: one SHA-256 over the text.
 */
export function promptHash(prompt: string | readonly Message[]): string {
  const messages = typeof prompt === "string" ? [{ role: "user", content: prompt }] : prompt;
  const hash = createHash("sha256");
  // JSON keeps the boundaries between role, content and message apart whatever the texts hold.
  for (const { role, content } of messages) hash.update(JSON.stringify([role, normalizePrompt(content)]));
  return hash.digest("hex").slice(0, 32);
}
