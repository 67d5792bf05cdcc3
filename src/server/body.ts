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
 * @throws {HttpError} 415 `unsupported-media-type`; 413 `body-too-large`; 400 `malformed-json`; 422 `invalid-request`: not what the schema
 *   says, nested more than 100 deep, or with a key `__proto__`, which schemas would drop
 */
export async function readBody<Body extends z.ZodType>(
  request: Request,
  schema: Body,
  limits: Limits,
): Promise<z.output<Body>> {
  requireJson(request.headers);
  const value = parseJson(await readBytes(request, limits.maxBodyBytes));
  requirePlain(value);
  const { success, data, error } = schema.safeParse(value, { reportInput: true });
  if (success) return data;
  throw invalid(describe(error.issues[0]!), "see /openapi.json for what this route takes");
}

const invalid = (message: string, remedy: string): HttpError =>
  new HttpError(422, "invalid-request", message, remedy);

const MAX_DEPTH = 100;

/** Walks level by level: what is nested as deep as a body is long would end everything that calls itself. */
function requirePlain(value: unknown): void {
  let level = [value].filter(isObject);
  for (let depth = 1; level.length > 0; depth++) {
    if (depth > MAX_DEPTH)
      throw invalid(`body: expected at most ${MAX_DEPTH} levels, got more`, "nest lists and objects less");
    const next: object[] = [];
    for (const object of level) {
      const isList = Array.isArray(object);
      if (!isList && Object.hasOwn(object, "__proto__"))
        throw invalid('body: expected other keys, got "__proto__"', "rename it");
      for (const child of isList ? object : Object.values(object)) if (isObject(child)) next.push(child);
    }
    level = next;
  }
}

const isObject = (value: unknown): value is object => typeof value === "object" && value !== null;

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

type Issue = z.core.$ZodIssue;

/** What is wrong, with its place. @param within The place of what the issue's path begins in. */
function describe(issue: Issue, within: readonly PropertyKey[] = []): string {
  const path = [...within, ...issue.path];
  const place = `body${path.map((key) => (typeof key === "number" ? `[${key}]` : `.${String(key)}`)).join("")}`;
  if (issue.code === "unrecognized_keys") {
    const keys = issue.keys.map((key) => JSON.stringify(key)).join(", ");
    return `${place}: expected known keys, got ${keys.slice(0, 200)}`;
  }
  if (issue.code === "invalid_union") {
    const forms = issue.errors.filter((issues) => issues.length > 0);
    // Of the forms that a value may have, it was meant in the one that holds the furthest.
    const inside = forms
      .flatMap(([first]) => (first!.path.length > 0 ? [first!] : []))
      .sort((a, b) => itemOf(b) - itemOf(a) || b.path.length - a.path.length)[0];
    if (inside !== undefined) return describe(inside, path);
    const wanted = new Set(forms.map(([first]) => expectedOf(first!)));
    return `${place}: expected ${[...wanted].join(" or ")}, got ${nameOf(issue.input)}`;
  }
  const itself = issue.code !== "invalid_type" || issue.expected === "int";
  return `${place}: expected ${expectedOf(issue)}, got ${nameOf(issue.input, itself)}`;
}

const itemOf = ({ path: [key] }: Issue): number => (typeof key === "number" ? key : 0);

/** `string`, `number to be >=0`, `one of "token"|"sentence"` */
const expectedOf = ({ message }: Issue): string =>
  message.replace(/^[^:]*: (expected )?/, "").replace(/, received .*$/, "");

/** The kind of a value; it itself, if it is short, where only some of its kind are expected. */
function nameOf(value: unknown, itself = false): string {
  if (value === undefined) return "nothing";
  if (value === null) return "null";
  if (Array.isArray(value)) return value.length === 0 ? "an empty array" : "array";
  const text = itself && typeof value !== "object" ? JSON.stringify(value) : "";
  return text !== "" && text.length <= 40 ? text : typeof value;
}
