// A server on this machine that speaks the hub's protocol: the API, downloads with their headers, a second host for large
// files, and every refusal. Source: huggingface_hub (`file_download.py`, `utils/_http.py`) and the hub's API documentation.

import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";

export interface ServedRepository {
  readonly directory: string;
  /** Names that stand for the commit. Default: `main`. */
  readonly revisions?: readonly string[];
  /** Folders of other branches, by name. */
  readonly branches?: Readonly<Record<string, string>>;
  /** Tokens that may see it; without, everybody may. */
  readonly private?: readonly string[];
  /** Tokens that may download it; everybody may see it. */
  readonly gated?: readonly string[];
  /** Additional names in its list of files. */
  readonly extraNames?: readonly string[];
  /** Sizes that its list of files gives instead of the right ones. */
  readonly listedBytes?: Readonly<Record<string, number>>;
  /** List names alone, without sizes and hashes, as mirrors do. */
  readonly namesOnly?: boolean;
  /** Redirect large files to a path of the hub's own host, where other headers describe the copy. */
  readonly oneHost?: boolean;
}

/** What goes wrong, once unless `times` says more. */
export interface Fault {
  /** Which requests. */
  readonly path: RegExp;
  readonly times?: number;
  /** Answer with this status. */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Cut the connection after this many bytes of the body. */
  readonly cutAfter?: number;
  /** Send these bytes instead. */
  readonly body?: Buffer;
  /** Wait before the rest of the body follows the first `cutAfter` bytes; for killing in the middle. */
  readonly stall?: boolean;
  /** Answer a range with the whole file. */
  readonly ignoreRange?: boolean;
}

export interface LoggedRequest {
  readonly host: "hub" | "cdn";
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  readonly authorization: string | undefined;
  readonly range: string | undefined;
}

export interface HubServer extends AsyncDisposable {
  readonly endpoint: string;
  readonly log: LoggedRequest[];
  /** Names of the files that were downloaded, with those that only part of was. */
  downloads(): string[];
  fail(fault: Fault): void;
  /** The commit that a repository, or a branch of it, is at: a hash of its contents. */
  commitOf(id: string, branch?: string): string;
  close(): Promise<void>;
}

export interface StoredFile {
  readonly name: string;
  readonly bytes: Buffer;
  readonly large: boolean;
  readonly sha256: string;
  readonly sha1: string;
  /** What names its blob. */
  readonly etag: string;
}

const digest = (kind: "sha1" | "sha256", ...parts: (string | Buffer)[]): string => {
  const hash = createHash(kind);
  for (const part of parts) hash.update(part);
  return hash.digest("hex");
};

/** Serves directories as repositories: `{ "org/name": "/some/folder", "datasets/org/name": "/another" }`. */
export async function startHub(
  repositories: Readonly<Record<string, string | ServedRepository>>,
  { tokens = [] as readonly string[] } = {},
): Promise<HubServer> {
  const log: LoggedRequest[] = [];
  const faults: { fault: Fault; left: number }[] = [];
  const known = new Map(
    Object.entries(repositories).map(([id, given]) => [
      id,
      typeof given === "string" ? { directory: given } : given,
    ]),
  );
  const filesOf = (id: string, branch?: string) => {
    const { directory, branches } = known.get(id)!;
    return readFiles((branch === undefined ? undefined : branches?.[branch]) ?? directory);
  };
  const branchesOf = (id: string) => [undefined, ...Object.keys(known.get(id)!.branches ?? {})];
  const commitOf = (id: string, branch?: string) =>
    digest("sha1", id, ...filesOf(id, branch).flatMap(({ name, sha1 }) => [name, sha1]));

  const takeFault = (url: string): Fault | undefined => {
    const at = faults.findIndex(({ fault, left }) => left > 0 && fault.path.test(url));
    if (at < 0) return undefined;
    faults[at]!.left--;
    return faults[at]!.fault;
  };

  const handle =
    (host: "hub" | "cdn", answer: Answer) => (request: IncomingMessage, response: ServerResponse) => {
      const url = request.url!;
      const { authorization, range } = request.headers;
      log.push({ host, method: request.method!, url, authorization, range });
      const fault = takeFault(url);
      if (fault?.status !== undefined) response.writeHead(fault.status, fault.headers).end();
      else answer(request, response, fault);
    };

  const cdn = await listen(
    createServer(
      handle("cdn", (request, response, fault) => {
        const [, sha256] = /^\/blob\/([0-9a-f]{64})\//.exec(request.url!) ?? [];
        const all = [...known.keys()].flatMap((id) =>
          branchesOf(id).flatMap((branch) => filesOf(id, branch)),
        );
        const file = all.find((each) => each.sha256 === sha256);
        if (!file) response.writeHead(404).end();
        else sendBytes(request, response, file.bytes, fault);
      }),
    ),
    "localhost",
  );

  const answerHub: Answer = (request, response, fault) => {
    const { pathname } = new URL(request.url!, "http://hub");
    const refuse = (status: number, code: string, message: string) =>
      response
        .writeHead(status, { ...(code ? { "X-Error-Code": code } : {}), "X-Error-Message": message })
        .end();
    const token = request.headers.authorization?.replace("Bearer ", "");
    const every = [
      ...tokens,
      ...[...known.values()].flatMap((r) => [...(r.private ?? []), ...(r.gated ?? [])]),
    ];
    if (token !== undefined && !every.includes(token)) {
      return refuse(401, "", "Invalid credentials in Authorization header");
    }
    const [, id = "", kind, rest = ""] =
      /^\/(?:api\/(?:models\/|(?=datasets\/)))?((?:datasets\/)?[^/]+\/[^/]+)\/(revision|resolve|cached)\/(.+)$/.exec(
        pathname,
      ) ?? [];
    const repository = known.get(id);
    const hidden = repository?.private && !repository.private.includes(token ?? "");
    if (!repository || hidden) {
      return refuse(token === undefined ? 401 : 404, "RepoNotFound", "Repository not found");
    }
    const [revision, ...name] = rest.split("/").map(decodeURIComponent);
    const branch = branchesOf(id).find((each) => each === revision || commitOf(id, each) === revision);
    const commit = commitOf(id, branch);
    if (branch === undefined && ![commit, ...(repository.revisions ?? ["main"])].includes(revision!)) {
      return refuse(404, "RevisionNotFound", `Invalid rev id: ${revision}`);
    }
    const files = filesOf(id, branch);
    if (kind === "revision") {
      const siblings = [
        ...files.map((file) =>
          repository.namesOnly
            ? { rfilename: file.name }
            : sibling(file, repository.listedBytes?.[file.name]),
        ),
        ...(repository.extraNames ?? []).map((rfilename) => ({ rfilename })),
      ];
      response.setHeader("Content-Type", "application/json");
      return response.end(JSON.stringify({ id, sha: commit, private: false, siblings }));
    }
    if (repository.gated && !repository.gated.includes(token ?? "")) {
      return refuse(token === undefined ? 401 : 403, "GatedRepo", `Access to model ${id} is restricted`);
    }
    const file = files.find((each) => each.name === name.join("/"));
    if (!file) return refuse(404, "EntryNotFound", "Entry not found");
    response.setHeader("X-Repo-Commit", commit);
    response.setHeader("ETag", `"${file.etag}"`);
    if (file.large && kind === "resolve") {
      response.setHeader("X-Linked-Etag", `"${file.etag}"`);
      response.setHeader("X-Linked-Size", file.bytes.length);
      const location = repository.oneHost
        ? `${hub.origin}/${id}/cached/${rest}`
        : `${cdn.origin}/blob/${file.sha256}/${encodeURIComponent(file.name)}`;
      return response.writeHead(302, { Location: location }).end("Found. Redirecting");
    }
    // Small files come from a path of the hub's own, by a relative redirect.
    if (kind === "resolve") return response.writeHead(307, { Location: `/${id}/cached/${rest}` }).end();
    if (file.large) response.setHeader("ETag", '"of a copy"');
    sendBytes(request, response, file.bytes, fault);
  };
  const hub = await listen(createServer(handle("hub", answerHub)));

  const close = async () => {
    await Promise.all([hub, cdn].map(({ stop }) => stop()));
  };
  return {
    endpoint: hub.origin,
    log,
    downloads: () => [
      ...new Set(
        log
          .filter(({ method, url }) => method === "GET" && url.includes("/resolve/"))
          .map(({ url }) => decodeURIComponent(url.replace(/^.*?\/resolve\/[^/]+\//, ""))),
      ),
    ],
    fail: (fault) => void faults.push({ fault, left: fault.times ?? 1 }),
    commitOf,
    close,
    [Symbol.asyncDispose]: close,
  };
}

type Answer = (request: IncomingMessage, response: ServerResponse, fault: Fault | undefined) => void;

/** The files of a folder, as git and its large-file storage name their contents. */
export function readFiles(directory: string): StoredFile[] {
  return readdirSync(directory, { recursive: true, encoding: "utf8" })
    .filter((name) => statSync(join(directory, name)).isFile())
    .sort()
    .map((name) => {
      const bytes = readFileSync(join(directory, name));
      const large = /\.(safetensors|bin|parquet)$/.test(name);
      const sha256 = digest("sha256", bytes);
      const sha1 = digest("sha1", `blob ${bytes.length}\0`, bytes);
      return { name, bytes, large, sha256, sha1, etag: large ? sha256 : sha1 };
    });
}

function sibling({ name, bytes, large, sha256, sha1 }: StoredFile, size = bytes.length) {
  // The blob of a large file is its pointer, whose hash is of no use.
  const blobId = large ? digest("sha1", `pointer to ${sha256}`) : sha1;
  return { rfilename: name, size, blobId, ...(large ? { lfs: { sha256, size, pointerSize: 135 } } : {}) };
}

function sendBytes(
  request: IncomingMessage,
  response: ServerResponse,
  whole: Buffer,
  fault: Fault | undefined,
): void {
  let bytes = fault?.body ?? whole;
  const [, from] = (fault?.ignoreRange ? null : /^bytes=(\d+)-$/.exec(request.headers.range ?? "")) ?? [];
  if (from !== undefined) {
    if (Number(from) >= bytes.length) {
      response.writeHead(416, { "Content-Range": `bytes */${bytes.length}` }).end();
      return;
    }
    const range = `bytes ${from}-${bytes.length - 1}/${bytes.length}`;
    bytes = bytes.subarray(Number(from));
    response.writeHead(206, { "Content-Range": range, "Content-Length": bytes.length });
  } else {
    response.writeHead(200, { "Content-Length": bytes.length, "Accept-Ranges": "bytes" });
  }
  if (request.method === "HEAD") {
    response.end();
    return;
  }
  if (fault?.cutAfter === undefined) {
    response.end(bytes);
    return;
  }
  response.write(bytes.subarray(0, fault.cutAfter), () => {
    if (!fault.stall) response.destroy();
  });
}

/** @param name What the host calls itself: the two hosts differ in name, as on the hub. */
async function listen(
  server: Server,
  name = "127.0.0.1",
): Promise<{ origin: string; stop: () => Promise<void> }> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const stop = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  return { origin: `http://${name}:${port}`, stop };
}
