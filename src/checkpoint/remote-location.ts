// Locations of remote engines: `vllm+http://gpu1:8000,gpu2:8000?pooling=last#org/name`. What stands behind # is the checkpoint
// that the engine serves, a location itself: its tokenizer, configuration and identity count.

import { InputError } from "../errors.ts";

/** The engines whose protocols are spoken. */
export const ENGINES = ["vllm", "llama-server"] as const;
export type Engine = (typeof ENGINES)[number];

/** Which rows an engine returns of a sequence: its last token's, every token's, or those of one token id. */
export type Pooling = "last" | "all" | `step:${number}`;

/** What a location may say about an engine, behind `?`. */
export interface RemoteSettings {
  /** Default `last`. */
  readonly pooling?: Pooling;
  /** The name that it serves the model by. Default: the only one. */
  readonly model?: string;
  /** Its arithmetic, as in `bf16`, for the record and for training, which refuses to mix. Default: what the engine tells, if it does. */
  readonly dtype?: string;
  /** Fingerprint of the weights that it serves, where they are not at hand to be looked at. */
  readonly fingerprint?: string;
  /** Requests under way at a time, per endpoint. Default 8. */
  readonly inFlight?: number;
  /** Tokens per request. Default 8192; a longer sequence goes alone. */
  readonly batchTokens?: number;
  /** Seconds until a request without an answer is sent again. Default 300. */
  readonly timeoutS?: number;
}

export interface RemoteLocation {
  readonly engine: Engine;
  /** At least one, without a slash at the end. */
  readonly endpoints: readonly string[];
  readonly settings: RemoteSettings;
  /** The location of the checkpoint: a directory, `tiny`, or `org/name[@revision]`. */
  readonly checkpoint: string;
}

const REMOTE_LIKE = /^[^:/]*\+[a-z]+:\/\//i;
const URL_LIKE = /^[a-z][a-z0-9.+-]+:\/\//i;
const REMOTE = /^([^+:/]+)\+(https?:\/\/[^?#]*)(?:\?([^#]*))?(?:#(.*))?$/s;
const EXAMPLE = "vllm+http://host:8000#org/name";

const number = (least: number) => (text: string) => {
  const value = Number(text);
  return Number.isSafeInteger(value) && value >= least ? value : undefined;
};
const matching = (pattern: RegExp) => (text: string) => (pattern.test(text) ? text : undefined);

/** How each setting is written, and what reads it; `undefined` is a value that it cannot have. */
const SETTINGS: Readonly<
  Record<string, { readonly field: keyof RemoteSettings; readonly read: (text: string) => unknown }>
> = {
  pooling: { field: "pooling", read: matching(/^(?:last|all|step:(?:0|[1-9]\d{0,8}))$/) },
  model: { field: "model", read: matching(/^.+$/s) },
  dtype: { field: "dtype", read: matching(/^[a-z0-9_]+$/) },
  fingerprint: { field: "fingerprint", read: matching(/^[0-9a-f]{64}$/) },
  "in-flight": { field: "inFlight", read: number(1) },
  "batch-tokens": { field: "batchTokens", read: number(1) },
  timeout: { field: "timeoutS", read: number(1) },
};

/**
 * Reads the location of a remote engine; null where the text does not begin like one, `…+…://`.
 *
 * `ENGINE+URL[,URL…][?setting=value&…]#CHECKPOINT`, where every URL is `http://host[:port][/path]`, from the second on with or without
 * its scheme; `/v1` at the end of one does not count.
 *
 * @throws {InputError} `bad-remote`; never with what stands before an `@` in a host, which may be a password.
 */
export function parseRemoteLocation(text: string): RemoteLocation | null {
  if (!REMOTE_LIKE.test(text)) return null;
  const [, engine, urls, query = "", checkpoint = ""] = REMOTE.exec(text) ?? [];
  const known = ENGINES.find((name) => name === engine);
  if (known === undefined || urls === undefined) {
    throw bad(
      `the engine before +http:// to be ${ENGINES.join(" or ")}`,
      "another address",
      `as in ${EXAMPLE}`,
    );
  }
  if (checkpoint === "" || URL_LIKE.test(checkpoint)) {
    throw bad(
      "the checkpoint that it serves behind #",
      checkpoint === "" ? "none" : "another address",
      `tokenizer, template and identity are the checkpoint's: name it, as in ${EXAMPLE}`,
    );
  }
  return { engine: known, endpoints: parseEndpoints(urls), settings: parseSettings(query), checkpoint };
}

function parseEndpoints(urls: string): string[] {
  const scheme = urls.slice(0, urls.indexOf("://") + 3);
  const endpoints = urls.split(",").map((part) => {
    const address = URL_LIKE.test(part) ? part : `${scheme}${part}`;
    const url = URL.canParse(address) ? new URL(address) : null;
    if (url === null || !/^https?:$/.test(url.protocol)) {
      throw bad("addresses http://host:port with commas between them", "something else", `as in ${EXAMPLE}`);
    }
    if (url.username !== "" || url.password !== "") {
      throw bad(
        "addresses without a user name",
        "one with",
        "set ARMORM_REMOTE_KEY instead: it is sent as a bearer token and stored nowhere",
      );
    }
    return `${url.origin}${url.pathname}`.replace(/\/+$/, "").replace(/\/v1$/, "");
  });
  return [...new Set(endpoints)];
}

function parseSettings(query: string): RemoteSettings {
  const settings: Record<string, unknown> = {};
  for (const [name, text] of new URLSearchParams(query)) {
    const known = Object.hasOwn(SETTINGS, name) ? SETTINGS[name] : undefined;
    if (known === undefined) {
      throw bad(`settings behind ? to be ${Object.keys(SETTINGS).join(", ")}`, name, "check its spelling");
    }
    const value = known.read(text);
    if (value === undefined) {
      throw bad(`${name} to have one of its values`, text, "see docs/remote-backbones.md for them");
    }
    settings[known.field] = value;
  }
  return settings;
}

/** The text that `parseRemoteLocation` reads as the same. */
export function formatRemoteLocation(remote: RemoteLocation): string {
  const { engine, endpoints, settings, checkpoint } = remote;
  const query = Object.entries(SETTINGS)
    .filter(([, { field }]) => settings[field] !== undefined)
    .map(([name, { field }]) => `${name}=${encodeURIComponent(settings[field]!).replaceAll("%3A", ":")}`)
    .join("&");
  return `${engine}+${endpoints.join(",")}${query && `?${query}`}#${checkpoint}`;
}

const bad = (expected: string, got: string, remedy: string): InputError =>
  new InputError("bad-remote", `remote backbone: expected ${expected}, got ${got}`, remedy);
