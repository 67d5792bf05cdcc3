import { type FileHandle, mkdtemp, open, rm } from "node:fs/promises";
import { join } from "node:path";

/** Where a text lies in a spool. */
export interface SpooledText {
  readonly offset: number;
  readonly length: number;
}

const BUFFER_BYTES = 2 ** 20;

/** Texts set aside on disk and read back in any order, so that memory does not grow with them. */
export class TextSpool implements AsyncDisposable {
  readonly #folder: string;
  readonly #file: FileHandle;
  #pending: Buffer[] = [];
  #pendingBytes = 0;
  #flushedBytes = 0;

  private constructor(folder: string, file: FileHandle) {
    this.#folder = folder;
    this.#file = file;
  }

  /** Opens a spool in a folder of its own inside `directory`, which must exist; disposing removes it. */
  static async create(directory: string): Promise<TextSpool> {
    const folder = await mkdtemp(join(directory, ".spool-"));
    return new TextSpool(folder, await open(join(folder, "texts"), "w+"));
  }

  async add(text: string): Promise<SpooledText> {
    const bytes = Buffer.from(text);
    const offset = this.#flushedBytes + this.#pendingBytes;
    this.#pending.push(bytes);
    this.#pendingBytes += bytes.length;
    if (this.#pendingBytes >= BUFFER_BYTES) await this.#flush();
    return { offset, length: bytes.length };
  }

  /** Texts in the order asked for. Nothing may be added meanwhile. */
  async read(places: readonly SpooledText[]): Promise<string[]> {
    await this.#flush();
    return await Promise.all(places.map((place) => this.#readOne(place)));
  }

  async #readOne({ offset, length }: SpooledText): Promise<string> {
    const bytes = Buffer.alloc(length);
    let done = 0;
    while (done < length) {
      const { bytesRead } = await this.#file.read(bytes, done, length - done, offset + done);
      if (bytesRead === 0) throw new Error("text spool: the file is shorter than what was written to it");
      done += bytesRead;
    }
    return bytes.toString("utf8");
  }

  async #flush(): Promise<void> {
    if (this.#pendingBytes === 0) return;
    await this.#file.appendFile(Buffer.concat(this.#pending));
    this.#flushedBytes += this.#pendingBytes;
    this.#pending = [];
    this.#pendingBytes = 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
    await rm(this.#folder, { recursive: true, force: true });
  }
}
