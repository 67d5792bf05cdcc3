import { accessSync, constants, existsSync, statSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { cacheFolder } from "../checkpoint/hub/hub-settings.ts";
import { type Check, gib } from "./doctor-check.ts";

/** Below this no published reward model fits. */
const LITTLE_SPACE = 20 * 2 ** 30;

/** The Hugging Face cache: where it is, whether it can be written, and what room there is. */
export async function cacheCheck(): Promise<Check> {
  const folder = cacheFolder(process.env);
  let existing = resolve(folder);
  while (!existsSync(existing)) existing = dirname(existing);
  if (!statSync(existing).isDirectory()) throw new Error(`${existing}: expected a folder, got a file`);
  accessSync(existing, constants.W_OK);
  const { bavail, bsize } = await statfs(existing);
  const freeBytes = bavail * bsize;
  const figures = { folder, exists: existing === resolve(folder), freeBytes };
  const missing = figures.exists ? "" : ", not there yet";
  const message = `${folder}${missing}: ${gib(freeBytes)} free`;
  if (freeBytes >= LITTLE_SPACE) return { name: "cache", status: "ok", message, figures };
  const remedy = "an 8 B model takes 16 GB: set HF_HOME to a folder with more room";
  return { name: "cache", status: "warning", message, remedy, figures };
}
