// Where the hub is, where its files are kept and who asks: the environment variables of huggingface_hub.
// Source: https://huggingface.co/docs/huggingface_hub/package_reference/environment_variables

import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { InputError } from "../../errors.ts";

export interface HubSettings {
  /** Without a slash at the end. */
  readonly endpoint: string;
  /** The folder that holds `models--org--name`. */
  readonly cache: string;
  /** Null: nobody is signed in. Never part of a message. */
  readonly token: string | null;
  /** The network is not to be touched. */
  readonly offline: boolean;
}

export type Environment = Readonly<Record<string, string | undefined>>;

const PUBLIC_ENDPOINT = "https://huggingface.co";
const TRUE = /^(1|on|yes|true)$/i;

/**
 * Reads `HF_ENDPOINT`, `HF_HUB_CACHE` (or `HUGGINGFACE_HUB_CACHE`, or below `HF_HOME`, or below `XDG_CACHE_HOME`), `HF_TOKEN`
 * (or `HUGGING_FACE_HUB_TOKEN`, or the file `HF_TOKEN_PATH`, by default `token` in `HF_HOME`), `HF_HUB_OFFLINE` and
 * `TRANSFORMERS_OFFLINE`.
 *
 * @throws {InputError} `bad-endpoint`, `bad-token`
 */
export function hubSettings(env: Environment): HubSettings {
  return {
    endpoint: endpointOf(env),
    cache: cacheFolder(env),
    token: tokenOf(env),
    offline: TRUE.test(env.HF_HUB_OFFLINE || env.TRANSFORMERS_OFFLINE || ""),
  };
}

/** The folder that Hugging Face's libraries keep downloads in. */
export function cacheFolder(env: Environment): string {
  return expandHome(env.HF_HUB_CACHE || env.HUGGINGFACE_HUB_CACHE || join(homeFolder(env), "hub"));
}

function homeFolder(env: Environment): string {
  const caches = env.XDG_CACHE_HOME || join(homedir(), ".cache");
  return expandHome(env.HF_HOME || join(caches, "huggingface"));
}

const expandHome = (path: string): string => path.replace(/^~(?=[/\\]|$)/, () => homedir());

function endpointOf(env: Environment): string {
  const endpoint = (env.HF_ENDPOINT || PUBLIC_ENDPOINT).replace(/\/+$/, "");
  const url = URL.canParse(endpoint) ? new URL(endpoint) : null;
  if (url && /^https?:$/.test(url.protocol) && !url.username && !url.password && !url.search && !url.hash) {
    return endpoint;
  }
  throw new InputError(
    "bad-endpoint",
    "HF_ENDPOINT: expected an http or https address without a user name, got something else",
    `unset it for ${PUBLIC_ENDPOINT}, or give the address of a mirror`,
  );
}

function tokenOf(env: Environment): string | null {
  const token = clean(env.HF_TOKEN || env.HUGGING_FACE_HUB_TOKEN) ?? clean(tokenFile(env));
  if (token === null || /^[\x21-\x7e]+$/.test(token)) return token;
  throw new InputError(
    "bad-token",
    "HF_TOKEN: expected a token of printable characters without blanks, got others",
    "copy the token again from https://huggingface.co/settings/tokens",
  );
}

function clean(token: string | undefined): string | null {
  return token?.trim() || null;
}

function tokenFile(env: Environment): string | undefined {
  try {
    return readFileSync(expandHome(env.HF_TOKEN_PATH || join(homeFolder(env), "token")), "utf8");
  } catch {
    return undefined;
  }
}
