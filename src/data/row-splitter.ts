import { InputError } from "../errors.ts";
import { peek } from "./byte-source.ts";

/** The JSON text of one row, not parsed yet. */
export interface RawRow {
  /** 1-based line on which the row begins. */
  readonly line: number;
  readonly bytes: Buffer;
  /** Set when the row cannot be whole, whatever its text. */
  readonly problem?: string;
}

const NEWLINE = 0x0a;
const QUOTE = 0x22;
const COMMA = 0x2c;
const BACKSLASH = 0x5c;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/** A row beyond this is a file without row breaks; stopping keeps memory bounded. */
export const MAX_ROW_BYTES = 256 * 2 ** 20;
const MAX_PEEK_BYTES = 2 ** 20;

type Chunks = AsyncGenerator<Buffer, void, undefined>;

/**
 * Cuts UTF-8 bytes into rows, holding one row at a time.
 *
 * JSONL is cut at line feeds alone (JSON strings may hold U+2028, which line readers split at), so that one malformed
 * line costs one row. A JSON document is cut into the elements of its outermost array; an outermost array of messages
 * (`role`, `content`) is itself one row, and so is an outermost object.
 *
 * @param name Decides the format if it ends in `.jsonl` or `.ndjson`, `.gz` aside; otherwise the first line does.
 */
export async function* splitRows(chunks: Chunks, name: string): AsyncGenerator<RawRow, void, undefined> {
  if (/\.(jsonl|ndjson)(\.gz)?$/i.test(name)) {
    yield* splitLines(chunks, name);
    return;
  }
  const { head, all } = await peek(chunks, decidesFormat);
  yield* looksLikeLines(head) ? splitLines(all, name) : splitDocument(all, name);
}

/** Enough to tell: an opening bracket, or a first line, which is not read ahead without end. */
function decidesFormat(head: Buffer): boolean {
  const start = firstInk(head);
  return head[start] === OPEN_BRACKET || head.includes(NEWLINE, start) || head.length > MAX_PEEK_BYTES;
}

function looksLikeLines(head: Buffer): boolean {
  const start = firstInk(head);
  if (head[start] === OPEN_BRACKET) return false;
  if (head[start] !== OPEN_BRACE) return true;
  const end = head.indexOf(NEWLINE, start);
  // A pretty-printed object leaves its first line open; one this long without a break is a line.
  return end < 0 || head.toString("latin1", start, end).trimEnd().endsWith("}");
}

/** Index of the first byte that is neither white space nor part of a byte order mark. */
function firstInk(bytes: Buffer): number {
  let index = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
  while (index < bytes.length && bytes[index]! <= 0x20) index++;
  return index;
}

async function* splitLines(chunks: Chunks, name: string): AsyncGenerator<RawRow, void, undefined> {
  let line = 1;
  const held = new Pieces(name);
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      held.push(chunk.subarray(start, end), line);
      const bytes = held.take();
      if (bytes.length > 0) yield { line, bytes };
      line++;
      start = end + 1;
    }
    held.push(chunk.subarray(start), line);
  }
  const bytes = held.take();
  if (bytes.length > 0) yield { line, bytes };
}

async function* splitDocument(chunks: Chunks, name: string): AsyncGenerator<RawRow, void, undefined> {
  const held = new Pieces(name);
  let line = 1;
  let rowLine = 1;
  let begun = false; // a byte of the current row has been seen
  let depth = 0;
  let inString = false;
  let escaped = false;
  let inArray = false; // inside an outermost array, whose elements are the rows
  let elements = 0;
  let conversation: Buffer[] | null = null; // elements of an outermost array that turned out to be messages
  let conversationLine = 1;

  function* element(): Generator<RawRow> {
    const bytes = held.take();
    begun = false;
    if (elements++ === 0 && isMessage(bytes)) {
      conversation = [];
      conversationLine = rowLine;
    }
    if (conversation) conversation.push(bytes);
    else if (bytes.length > 0) yield { line: rowLine, bytes };
    else yield { line, bytes, problem: "malformed JSON: expected a value beside the comma" };
  }

  for await (const chunk of chunks) {
    let start = 0; // first byte of this chunk that is not yet in `held`
    for (let index = 0; index < chunk.length; index++) {
      const byte = chunk[index]!;
      if (byte === NEWLINE) line++;
      if (inString) {
        if (escaped) escaped = false;
        else if (byte === BACKSLASH) escaped = true;
        else if (byte === QUOTE) inString = false;
        continue;
      }
      if (byte <= 0x20) continue;
      if (!begun) {
        begun = true;
        rowLine = line;
      }
      if (byte === QUOTE) {
        inString = true;
      } else if (byte === OPEN_BRACKET || byte === OPEN_BRACE) {
        if (depth === 0 && byte === OPEN_BRACKET) {
          held.push(chunk.subarray(start, index), line);
          const stray = held.take();
          if (stray.length > 0) yield { line: rowLine, bytes: stray };
          begun = false;
          inArray = true;
          elements = 0;
          conversation = null;
          start = index + 1;
        }
        depth++;
      } else if (byte === COMMA && depth === 1 && inArray) {
        held.push(chunk.subarray(start, index), line);
        yield* element();
        start = index + 1;
      } else if (byte === CLOSE_BRACKET && depth === 1 && inArray) {
        held.push(chunk.subarray(start, index), line);
        if (elements > 0 || !held.isEmpty()) yield* element();
        if (conversation) yield { line: conversationLine, bytes: asArray(conversation) };
        begun = false;
        inArray = false;
        depth = 0;
        start = index + 1;
      } else if (byte === CLOSE_BRACKET || byte === CLOSE_BRACE) {
        depth = Math.max(0, depth - 1);
        if (depth === 0) {
          held.push(chunk.subarray(start, index + 1), line);
          yield { line: rowLine, bytes: held.take() };
          begun = false;
          start = index + 1;
        }
      }
    }
    held.push(chunk.subarray(start), line);
  }
  const rest = held.take();
  if (inArray || depth > 0) {
    yield {
      line: rowLine,
      bytes: rest,
      problem: "malformed JSON: the document ends before this value or its array does",
    };
  } else if (rest.length > 0) {
    yield { line: rowLine, bytes: rest };
  }
}

function isMessage(bytes: Buffer): boolean {
  try {
    const value = JSON.parse(bytes.toString("utf8"));
    return typeof value === "object" && value !== null && "role" in value && "content" in value;
  } catch {
    return false;
  }
}

function asArray(elements: readonly Buffer[]): Buffer {
  return Buffer.from(`[${elements.map((bytes) => bytes.toString("utf8")).join(",")}]`);
}

/** The parts of a row that lay in different chunks; joined once, without the white space around it. */
class Pieces {
  readonly #name: string;
  #pieces: Buffer[] = [];
  #length = 0;

  constructor(name: string) {
    this.#name = name;
  }

  push(piece: Buffer, line: number): void {
    if (this.#pieces.length === 0) piece = piece.subarray(firstInk(piece));
    if (piece.length === 0) return;
    this.#pieces.push(piece);
    this.#length += piece.length;
    if (this.#length > MAX_ROW_BYTES) {
      throw new InputError(
        "row-too-long",
        `${this.#name}: line ${line}: expected rows of at most ${MAX_ROW_BYTES / 2 ** 20} MiB, got a longer one`,
        "write one JSON object per line",
      );
    }
  }

  isEmpty(): boolean {
    return this.#length === 0;
  }

  take(): Buffer {
    const bytes = this.#pieces.length === 1 ? this.#pieces[0]! : Buffer.concat(this.#pieces);
    this.#pieces = [];
    this.#length = 0;
    let end = bytes.length;
    while (end > 0 && bytes[end - 1]! <= 0x20) end--;
    return bytes.subarray(0, end);
  }
}
