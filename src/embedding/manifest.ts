import { createHash, randomBytes } from "node:crypto";
import { open, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import type { RatingScale } from "../data/rating-scale.ts";
import { InputError } from "../errors.ts";

/** What the rows of an embedding set are: rated conversations, preference pairs, or prompts with N labelled responses. */
export type EmbeddingKind = "ratings" | "pairs" | "best-of-n";

/** One objective of a set of rated conversations, with what its ratings look like. */
export interface ObjectiveSummary {
  readonly name: string;
  readonly source: string;
  /** Rows that carry a rating for it. */
  readonly rows: number;
  readonly minimum: number;
  readonly maximum: number;
  /** As declared: `rating = reward · multiply + add`. Absent: told from the range that occurs when it is trained on. */
  readonly scale?: RatingScale;
}

/** A row that was not embedded. `invalid`: it could not be read, or its states are not finite; `too-long`: beyond the token limit. */
export interface Rejection {
  /** Number of the row over all data files, from 0. */
  readonly row: number;
  readonly id: string | number | null;
  readonly source: string;
  /** Where the row names one; sets of earlier versions do not say. */
  readonly subset?: string | null;
  /** Of a row that could be read. */
  readonly promptHash?: string;
  readonly kind: "invalid" | "too-long";
  readonly reason: string;
}

/** How conversations became token ids; a model needs the same to score. */
export interface ChatSettings {
  readonly fingerprint: string;
  readonly bos: "on" | "off";
  readonly specialTokens: "text" | "compat";
  readonly chatTemplate: string | null;
  readonly gatingPattern: readonly number[] | null;
}

/**
 * `manifest.json` of an embedding set: what was embedded, with what, and where every row went.
 *
 * `rowsIn = rowsOut + rejections.length` once `complete` is true. `run` hashes everything that decides the contents:
 * a directory with another `run` is never continued or overwritten.
 */
export interface EmbeddingManifest {
  readonly format: "armorm-embeddings";
  readonly version: 1;
  readonly kind: EmbeddingKind;
  readonly run: string;
  readonly complete: boolean;
  readonly backbone: {
    readonly location: string;
    readonly fingerprint: string;
    readonly hiddenSize: number;
    readonly dtype: string;
  };
  readonly chat: ChatSettings;
  readonly data: readonly {
    readonly source: string;
    readonly file: string;
    readonly sha256: string;
    readonly rows: number;
    /** The format that was asked for; absent where it was recognised. */
    readonly format?: string;
  }[];
  /** Null where nobody knows. */
  readonly maxTokens: number | null;
  readonly overlong: "reject" | "drop-oldest-turns";
  readonly limit: number | null;
  readonly partRows: number;
  readonly objectives: readonly ObjectiveSummary[];
  /** Rows read, invalid ones included. */
  readonly rowsIn: number;
  /** Rows of the files that none of the objectives asked for is rated on; null where a limit ended the reading. */
  readonly rowsUnrated: number | null;
  readonly rowsOut: number;
  /** Best-of-N only: responses of the rows that were embedded. */
  readonly responses?: number;
  readonly rejections: readonly Rejection[];
  readonly parts: readonly { readonly file: string; readonly id: string; readonly rows: number }[];
  /** Of a set that was made from files without texts; absent where armorm has embedded conversations. */
  readonly imported?: ImportedFrom;
}

/** What such files leave unknown: ids, the responses' lengths (no `response_tokens`), and the prompts themselves. */
export interface ImportedFrom {
  readonly layout: "reference";
  /** What prompt hashes are hashes of. They are those of equal embeddings, not of equal texts. */
  readonly promptHashes: "embeddings" | "prompt_embeddings";
  /**
   * Pairs whose two prompt embeddings differ in rounding, and the largest relative difference among them; null for ratings. The
   * chosen response's is kept.
   */
  readonly promptDifferences: { readonly rows: number; readonly largest: number } | null;
}

/** The file that makes a directory an embedding set. */
export const MANIFEST = "manifest.json";

/** Reads a set's manifest. @throws {InputError} If the directory is no embedding set. */
export async function readManifest(directory: string): Promise<EmbeddingManifest> {
  const remedy = "give a directory that `armorm embed` has written";
  let text: string;
  try {
    text = await readFile(join(directory, MANIFEST), "utf8");
  } catch {
    throw new InputError(
      "not-an-embedding-set",
      `${directory}: expected an embedding set, got no ${MANIFEST}`,
      remedy,
    );
  }
  let manifest: EmbeddingManifest;
  try {
    manifest = JSON.parse(text);
  } catch {
    throw new InputError(
      "malformed-json",
      `${join(directory, MANIFEST)}: expected JSON, got something else`,
      remedy,
    );
  }
  if (manifest?.format !== "armorm-embeddings" || manifest.version !== 1) {
    const got = manifest?.format ? `${manifest.format} version ${manifest.version}` : "something else";
    throw new InputError(
      "not-an-embedding-set",
      `${directory}: expected armorm-embeddings version 1, got ${got}`,
      remedy,
    );
  }
  return manifest;
}

/** Writes the manifest under a temporary name, syncs it, and renames it into place. */
export const writeManifest = (directory: string, manifest: EmbeddingManifest): Promise<void> =>
  writeJson(join(directory, MANIFEST), manifest);

/** Writes a JSON file whole or not at all. */
export async function writeJson(path: string, value: unknown): Promise<void> {
  const temporary = `${path}.${process.pid}-${randomBytes(6).toString("hex")}.tmp`;
  try {
    const file = await open(temporary, "wx");
    try {
      await file.writeFile(`${JSON.stringify(value, null, 1)}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** A stable hash of plain data. */
export function hashOf(value: unknown): string {
  return createHash("sha256").update(JSON.stringify(value)).digest("hex");
}
