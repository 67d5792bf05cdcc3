// What the hub refuses, and what stands in the way to it, each in one line with its remedy.
// Codes in the header X-Error-Code: huggingface_hub, `hf_raise_for_status`.

import { InputError } from "../../errors.ts";
import { DEFAULT_REVISION, formatHubId, type HubId, pagePath } from "./hub-id.ts";
import type { HubSettings } from "./hub-settings.ts";

export type Headers = Readonly<Record<string, string | undefined>>;

/** What was asked for. */
export interface HubRequest extends HubId {
  /** A file, or none: the repository itself. */
  readonly file?: string;
}

/** The network, or the hub itself, failed: worth another try, and then the cache. */
export class NetworkFailure extends Error {
  override readonly name = "NetworkFailure";
  /** No connection came about at all. */
  readonly connecting: boolean;
  /** How long the hub asks to wait, or null. */
  readonly retryAfterMs: number | null;

  constructor(reason: string, { connecting = false, retryAfterMs = null as number | null } = {}) {
    super(reason);
    this.connecting = connecting;
    this.retryAfterMs = retryAfterMs;
  }
}

/** The error for a network that still fails after every try. */
export function unreachable(
  settings: HubSettings,
  wanted: HubRequest,
  { message }: NetworkFailure,
): InputError {
  return new InputError(
    "hub-unreachable",
    `${nameOf(wanted)}: expected an answer from ${settings.endpoint}, got ${message}`,
    "check the network (HTTPS_PROXY, HF_ENDPOINT); the same command goes on where it stopped. A folder of that name? Write ./",
  );
}

/** The error for an answer that is no success. */
export function refusal(
  settings: HubSettings,
  wanted: HubRequest,
  status: number,
  headers: Headers,
): InputError {
  const { endpoint, token } = settings;
  const { id, revision, file } = wanted;
  const page = `${endpoint}/${pagePath(wanted)}`;
  const code = headers["x-error-code"];
  const name = nameOf(wanted);
  if (code === "GatedRepo") {
    const how = token === null ? "got no token" : "got a token whose account has none";
    return new InputError(
      "gated-repository",
      `${name}: expected access to a gated repository, ${how}`,
      `accept its licence at ${page} and set HF_TOKEN to a token of that account (with read access to gated repositories)`,
    );
  }
  if (code === "RevisionNotFound") {
    return new InputError(
      "missing-revision",
      `${id}: expected the branch, tag or commit ${revision}, got a repository without it`,
      `leave @${revision} out for the default branch, ${DEFAULT_REVISION}, or choose one from ${page}/tree/${DEFAULT_REVISION}`,
    );
  }
  if (code === "EntryNotFound" || (status === 404 && code === undefined && file !== undefined)) {
    return new InputError(
      "missing-file",
      `${name}: expected ${file ?? "a file"} in the repository, got none`,
      `see what it holds at ${page}/tree/${revision}`,
    );
  }
  if (status === 401 && headers["x-error-message"]?.startsWith("Invalid credentials")) {
    return new InputError(
      "bad-token",
      `${name}: expected a valid token, got one that ${endpoint} does not accept`,
      "set HF_TOKEN to a token from https://huggingface.co/settings/tokens, or unset it for public repositories",
    );
  }
  if (status === 401 || status === 404 || code === "RepoNotFound") {
    const place =
      wanted.kind === "dataset"
        ? "file or folder of that name or a data set"
        : "folder of that name or a repository";
    const access =
      token === null
        ? "if it is private, set HF_TOKEN"
        : "if it is private, the token's account needs access";
    return new InputError(
      "missing-repository",
      `${id}: expected a ${place} at ${endpoint}, got neither, or one that is private`,
      `check the spelling; ${access}`,
    );
  }
  if (status === 403) {
    return new InputError(
      "forbidden",
      `${name}: expected to be let in, got a refusal of ${endpoint} (${status})`,
      `look at ${page}: the repository may be disabled, or the token in HF_TOKEN may lack read access`,
    );
  }
  return new InputError(
    "hub-refused",
    `${name}: expected the ${file ?? "repository"} from ${endpoint}, got status ${status}`,
    "try again later, or check HF_ENDPOINT",
  );
}

/** An answer that does not follow the hub's protocol. */
export function badAnswer(settings: HubSettings, wanted: HubRequest, expected: string): InputError {
  return new InputError(
    "bad-hub-answer",
    `${nameOf(wanted)}: expected ${expected}, got something else from ${settings.endpoint}`,
    "check HF_ENDPOINT and the proxy: something else may have answered",
  );
}

const nameOf = (wanted: HubRequest): string =>
  wanted.file === undefined ? formatHubId(wanted) : `${wanted.id}: ${wanted.file}`;
