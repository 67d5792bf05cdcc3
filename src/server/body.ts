// A request's body: bytes → JSON → what the route's schema says.

import type { z } from "zod";
import { HttpError } from "./errors.ts";
import type { Limits } from "./limits.ts";

/**
 * Reads and checks a JSON body.
 *
 * `application/json` is required: it is what keeps pages of other sites from posting to a server on the visitor's own machine, for a
 * browser asks before it sends that type, and is not answered.
 *
 * @throws {HttpError} 415 `unsupported-media-type`; 413 `body-too-large`; 400 `malformed-json`; 422 `invalid-request`
 */
export async function readBody<Body extends z.ZodType>(
  request: Request,
  schema: Body,
  limits: Limits,
): Promise<z.output<Body>> {
  requireJson(request.headers);
  const value = parseJson(await readBytes(request, limits.maxBodyBytes));
  const { success, data, error } = schema.safeParse(value);
  if (success) return data;
  throw new HttpError(422, "invalid-request", describe(error), "see /openapi.json for what this route takes");
}

function requireJson(headers: Headers): void {
  const type = headers.get("content-type") ?? "";
  const encoding = headers.get("content-encoding") ?? "identity";
  if (/^application\/json\s*(;|$)/i.test(type) && encoding === "identity") return;
  const [name, expected, got] = /^application\/json\s*(;|$)/i.test(type)
    ? ["content-encoding", "identity", encoding]
    : ["content-type", "application/json", type || "none"];
  throw new HttpError(
    415,
    "unsupported-media-type",
    `${name}: expected ${expected}, got ${got.slice(0, 100)}`,
    "send plain JSON and say so: content-type: application/json",
  );
}

/** What is too large is read to its end, up to so many times the limit: a client reads answers once it has sent its request. */
const DISCARDED = 8;

async function readBytes(request: Request, maxBytes: number): Promise<Uint8Array> {
  const declared = Number(request.headers.get("content-length") ?? 0);
  if (declared > maxBytes) throw tooLarge(maxBytes, String(declared));
  const chunked = request.headers.has("transfer-encoding");
  if (!chunked || request.body === null) return new Uint8Array(await request.arrayBuffer());
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of request.body) {
    size += chunk.byteLength;
    if (size > DISCARDED * maxBytes) throw tooLarge(maxBytes, `more than ${DISCARDED * maxBytes}`);
    if (size <= maxBytes) chunks.push(chunk);
    else chunks.length = 0;
  }
  if (size > maxBytes) throw tooLarge(maxBytes, String(size));
  return Buffer.concat(chunks);
}

function tooLarge(maxBytes: number, got: string): HttpError {
  return new HttpError(
    413,
    "body-too-large",
    `body: expected at most ${maxBytes} bytes, got ${got}`,
    "send less at once, or start the server with a higher --max-body",
  );
}

function parseJson(bytes: Uint8Array): unknown {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw malformed("got bytes that are not UTF-8");
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    if (text.trim() === "") throw malformed("got nothing");
    throw malformed(`got something else (${(error as Error).message})`);
  }
}

const malformed = (got: string): HttpError =>
  new HttpError(400, "malformed-json", `body: expected JSON, ${got}`, "send one JSON object, in UTF-8");

/** The first thing that is wrong, with its place. */
function describe({ issues }: z.ZodError): string {
  const [issue] = issues;
  const { path, message } = issue!;
  const place = path.map((key) => (typeof key === "number" ? `[${key}]` : `.${String(key)}`)).join("");
  if (issue!.code === "unrecognized_keys") {
    const keys = issue!.keys.map((key) => JSON.stringify(key)).join(", ");
    return `body${place}: expected known keys, got ${keys.slice(0, 200)}`;
  }
  const what = message.replace(/^Invalid \w+: /, "").replace(", received undefined", ", got nothing");
  return `body${place}: ${what.replace(", received ", ", got ")}`;
}
