import { createReadStream } from "node:fs";
import { pipeline, Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import { InputError } from "../errors.ts";

/** A path, or a stream of bytes (standard input, an HTTP body). */
export type DataSource = string | AsyncIterable<Uint8Array>;

type Chunks = AsyncGenerator<Buffer, void, undefined>;

/** What to call a source in messages. */
export function sourceName(source: DataSource): string {
  return typeof source === "string" ? source : "standard input";
}

/** The bytes of a source as they are stored. */
export async function* rawBytes(source: DataSource): Chunks {
  try {
    for await (const chunk of typeof source === "string" ? createReadStream(source) : source) {
      yield Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk);
    }
  } catch (error) {
    throw explainReadError(error, sourceName(source));
  }
}

/** The bytes with gzip undone. Compression is recognised by its first bytes, not by the name. */
export async function* inflated(chunks: Chunks, name: string): Chunks {
  const { head, all } = await peek(chunks, (bytes) => bytes.length >= 4);
  refuseOtherFormats(head, name);
  if (head[0] !== 0x1f || head[1] !== 0x8b) {
    yield* all;
    return;
  }
  const gunzip = createGunzip();
  // The error reaches the loop below through gunzip itself; the callback keeps it from being raised twice.
  pipeline(Readable.from(all), gunzip, () => {});
  try {
    for await (const chunk of gunzip) yield chunk as Buffer;
  } catch (error) {
    throw explainReadError(error, name);
  }
}

/**
 * Reads ahead until `enough` says so or the stream ends. `all` gives every byte again, the head included; ending it
 * early ends the stream.
 */
export async function peek(
  chunks: Chunks,
  enough: (bytes: Buffer) => boolean,
): Promise<{ head: Buffer; all: Chunks }> {
  let head: Buffer = Buffer.alloc(0);
  while (!enough(head)) {
    const next = await chunks.next();
    if (next.done) break;
    head = head.length === 0 ? next.value : Buffer.concat([head, next.value]);
  }
  async function* all(): Chunks {
    try {
      if (head.length > 0) yield head;
      yield* chunks;
    } finally {
      await chunks.return();
    }
  }
  return { head, all: all() };
}

function refuseOtherFormats(head: Buffer, name: string): void {
  const start = head.toString("latin1", 0, 4);
  const found = start.startsWith("PAR1")
    ? "a parquet file"
    : start.startsWith("PK")
      ? "a zip archive"
      : start.startsWith("\xff\xfe") || start.startsWith("\xfe\xff")
        ? "UTF-16 text"
        : start === "\x28\xb5\x2f\xfd"
          ? "a zstd file"
          : null;
  if (found === null) return;
  throw new InputError(
    "unsupported-format",
    `${name}: expected JSON or JSONL in UTF-8, plain or gzipped, got ${found}`,
    found === "a parquet file" ? "give its path: Parquet is not read from a stream" : "convert it to JSONL",
  );
}

export function explainReadError(error: unknown, name: string): unknown {
  const code = (error as NodeJS.ErrnoException | null)?.code ?? "";
  if (code === "ENOENT") return new InputError("missing-file", `${name}: no such file`, "check the path");
  if (code === "EISDIR") {
    return new InputError("not-a-file", `${name}: expected a file, got a directory`, "name a file");
  }
  if (code === "EACCES")
    return new InputError("unreadable-file", `${name}: not readable`, "check its permissions");
  if (code === "Z_DATA_ERROR" || code === "Z_BUF_ERROR") {
    const what = code === "Z_BUF_ERROR" ? "the gzip stream ends early" : "the gzip stream is damaged";
    return new InputError("corrupt-gzip", `${name}: ${what}`, "fetch or compress the file again");
  }
  return error;
}
