// What a repository holds at a commit, as the hub's API tells.

import { type HubClient, orUnreachable, readJson, withRetries } from "./hub-client.ts";
import { badAnswer, type HubRequest } from "./hub-errors.ts";
import { type HubId, isCommit, pagePath } from "./hub-id.ts";
import { requireSafePath } from "./safe-path.ts";

/** A file of a repository. */
export interface ListedFile {
  /** Relative, with `/`. */
  readonly name: string;
  readonly bytes: number;
  /** The content's hash, and the name of its blob: sha256 of large files, git's sha1 of the others. */
  readonly etag: string;
}

export interface Listing {
  /** What the revision stands for. */
  readonly commit: string;
  readonly names: readonly string[];
  /** Size and hash of a file; asks the hub where the listing does not say. */
  describe(name: string, signal?: AbortSignal): Promise<ListedFile>;
}

const ETAG = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/;

/**
 * Asks what a revision stands for and what it holds.
 *
 * @throws {NetworkFailure} @throws {InputError} See `refusal`; `unsafe-path` if any file's name is not plain and relative.
 */
export async function fetchListing(client: HubClient, hubId: HubId, signal?: AbortSignal): Promise<Listing> {
  const room = hubId.kind === "dataset" ? "datasets" : "models";
  const path = `/api/${room}/${hubId.id}/revision/${encodeURIComponent(hubId.revision)}?blobs=true`;
  const answer = await withRetries(
    async () => readJson(client, hubId, await client.send(path, hubId, { signal })),
    { signal, hasty: true },
  );
  const { sha, siblings } = (answer ?? {}) as { sha?: unknown; siblings?: unknown };
  if (typeof sha !== "string" || !isCommit(sha) || !Array.isArray(siblings)) {
    throw badAnswer(client.settings, hubId, "a commit and its files");
  }
  const described = new Map<string, Partial<ListedFile>>();
  for (const sibling of siblings) {
    const { rfilename, size, blobId, lfs } = (sibling ?? {}) as Sibling;
    const name = requireSafePath(rfilename, hubId.id);
    described.set(name, { name, ...sizeAndHash(lfs?.size ?? size, lfs?.sha256 ?? blobId) });
  }
  return {
    commit: sha,
    names: [...described.keys()],
    async describe(name, signal) {
      const { bytes, etag } = described.get(name)!;
      if (bytes !== undefined && etag !== undefined) return { name, bytes, etag };
      return await askAbout(client, { ...hubId, revision: sha, file: name }, signal);
    },
  };
}

interface Sibling {
  readonly rfilename?: unknown;
  readonly size?: unknown;
  readonly blobId?: unknown;
  readonly lfs?: { readonly sha256?: unknown; readonly size?: unknown } | null;
}

function sizeAndHash(size: unknown, hash: unknown): { bytes?: number; etag?: string } {
  return {
    ...(Number.isSafeInteger(size) && Number(size) >= 0 ? { bytes: Number(size) } : {}),
    ...(typeof hash === "string" && ETAG.test(hash) ? { etag: hash } : {}),
  };
}

/** Mirrors may list names alone: the headers of the file itself say the rest. */
async function askAbout(
  client: HubClient,
  wanted: HubRequest & { readonly file: string },
  signal: AbortSignal | undefined,
): Promise<ListedFile> {
  const ask = () => client.send(filePath(wanted), wanted, { method: "HEAD", signal });
  const { headers } = await orUnreachable(client, wanted, withRetries(ask, { signal }));
  const etag = (headers["x-linked-etag"] ?? headers.etag)?.replace(/^W\//, "").replaceAll('"', "");
  const found = sizeAndHash(
    Number(headers["x-linked-size"] ?? headers["content-length"] ?? Number.NaN),
    etag,
  );
  const { bytes } = found;
  if (bytes === undefined || found.etag === undefined) {
    throw badAnswer(client.settings, wanted, "the size and the hash of the file");
  }
  return { name: wanted.file, bytes, etag: found.etag };
}

/** Where a file of a repository is downloaded from, below the endpoint. */
export function filePath(wanted: HubRequest & { readonly file: string }): string {
  const name = wanted.file.split("/").map(encodeURIComponent).join("/");
  return `/${pagePath(wanted)}/resolve/${encodeURIComponent(wanted.revision)}/${name}`;
}
