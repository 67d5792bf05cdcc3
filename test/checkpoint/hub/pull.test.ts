import {
  chmodSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { explainFileErrors } from "../../../src/checkpoint/hub/file-errors.ts";
import { type PullOptions, pull } from "../../../src/checkpoint/hub/pull.ts";
import { writeSafetensors } from "../../../src/checkpoint/safetensors-writer.ts";
import { type HubServer, readFiles, type ServedRepository, startHub } from "./hub-server.ts";

let folder: string;
let cache: string;
let repository: string;
let hub: HubServer;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "hub-"));
  cache = join(folder, "home/hub");
  repository = join(folder, "repository");
  for (const name of ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_HUB_CACHE", "HF_HUB_OFFLINE"]) {
    vi.stubEnv(name, undefined);
  }
  for (const name of ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "no_proxy", "NO_PROXY"]) {
    vi.stubEnv(name, undefined);
  }
  vi.stubEnv("HF_HOME", join(folder, "home"));
  await writeRepository();
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await hub?.close();
  rmSync(folder, { recursive: true });
});

const WEIGHTS = 200_000;

/** A checkpoint among what else repositories hold. */
async function writeRepository(): Promise<void> {
  mkdirSync(join(repository, "original"), { recursive: true });
  mkdirSync(join(repository, "onnx"));
  const texts = {
    "config.json": '{"model_type":"llama"}',
    "generation_config.json": "{}",
    "tokenizer.json": '{"model":{}}',
    "tokenizer_config.json": '{"chat_template":"x"}',
    "README.md": "---\nlicense: mit\n---\n",
    "LICENSE.txt": "MIT",
    "pytorch_model.bin": "pickle",
    "model.gguf": "gguf",
    "original/params.json": "{}",
    "original/consolidated.00.pth": "pickle",
    "onnx/model.onnx": "onnx",
    ".gitattributes": "",
  };
  for (const [name, text] of Object.entries(texts)) writeFileSync(join(repository, name), text);
  const data = Float32Array.from({ length: WEIGHTS / 4 }, (_, i) => Math.sin(i));
  await writeSafetensors(join(repository, "model.safetensors"), {
    w: { dtype: "F32", shape: [data.length], data },
  });
}

const NEEDED = [
  "LICENSE.txt",
  "README.md",
  "config.json",
  "model.safetensors",
  "tokenizer.json",
  "tokenizer_config.json",
];

async function serve(options: Omit<ServedRepository, "directory"> = {}): Promise<void> {
  hub = await startHub({ "org/name": { directory: repository, ...options } });
  vi.stubEnv("HF_ENDPOINT", hub.endpoint);
}

const inRepository = (...path: string[]) => join(cache, "models--org--name", ...path);
const weights = () => readFiles(repository).find(({ name }) => name === "model.safetensors")!;

/** Every file and link below a folder, with where links point and what small files say. */
function tree(directory: string): Record<string, string> {
  const entries = readdirSync(directory, { recursive: true, encoding: "utf8" }).map((name) => {
    const path = join(directory, name);
    const stats = lstatSync(path);
    if (stats.isSymbolicLink()) return [name, `-> ${readlinkSync(path)}`];
    if (stats.isDirectory()) return null;
    return [name, stats.size > 100 ? `${stats.size} bytes` : readFileSync(path, "utf8")];
  });
  return Object.fromEntries(entries.filter((entry) => entry !== null).sort());
}

const failsWith = (code: string, text = "") =>
  expect.objectContaining({ name: "InputError", code, message: expect.stringContaining(text) });

describe("a pull", () => {
  test("asks for the files that armorm reads, and for no others", async () => {
    await serve();
    const pulled = await pull("org/name");
    expect(hub.downloads().sort()).toEqual(NEEDED);
    expect(pulled).toMatchObject({ id: "org/name", revision: "main", commit: hub.commitOf("org/name") });
    expect(pulled.files.map(({ name, from }) => [name, from]).sort()).toEqual(NEEDED.map((n) => [n, "hub"]));
    expect(readFileSync(join(pulled.directory, "model.safetensors"))).toEqual(weights().bytes);
  });

  test("leaves the cache as the hub documents it, path by path", async () => {
    await serve();
    await pull("org/name");
    const commit = hub.commitOf("org/name");
    // https://huggingface.co/docs/hub/local-cache
    const expected: Record<string, string> = { "models--org--name/refs/main": commit };
    for (const { name, bytes, etag } of readFiles(repository)) {
      if (!NEEDED.includes(name)) continue;
      expected[`models--org--name/snapshots/${commit}/${name}`] = `-> ../../blobs/${etag}`;
      expected[`models--org--name/blobs/${etag}`] =
        bytes.length > 100 ? `${bytes.length} bytes` : bytes.toString("utf8");
    }
    for (const name of ["special_tokens_map.json", "chat_template.jinja", "training.json"]) {
      expected[`models--org--name/.no_exist/${commit}/${name}`] = "";
    }
    expected[`models--org--name/.no_exist/${commit}/training-prompts.safetensors`] = "";
    expect(tree(cache)).toEqual(Object.fromEntries(Object.entries(expected).sort()));
  });

  test("says first what it costs, and then how far it is", async () => {
    await serve();
    const plans: unknown[] = [];
    const progress: number[] = [];
    const order: string[] = [];
    await pull("org/name", {
      onPlan: (plan) => {
        plans.push(plan);
        order.push(`plan after ${hub.downloads().length} files`);
      },
      onProgress: ({ bytes, totalBytes }) => {
        progress.push(bytes / totalBytes);
      },
    });
    expect(order).toEqual(["plan after 0 files"]);
    expect(plans).toMatchObject([{ id: "org/name", files: { length: NEEDED.length } }]);
    expect(progress).toEqual([...progress].sort((a, b) => a - b));
    expect(progress.at(-1)).toBe(1);
  });

  test("of a commit that is there asks nobody; of a branch it asks what it stands for", async () => {
    await serve();
    const { commit } = await pull("org/name");
    hub.log.length = 0;
    const again = await pull(`org/name@${commit}`);
    expect(hub.log).toEqual([]);
    expect(again.files.every(({ from }) => from === "cache")).toBe(true);
    const onPlan = vi.fn();
    await pull("org/name", { onPlan });
    expect(hub.log.map(({ url }) => url)).toEqual(["/api/models/org/name/revision/main?blobs=true"]);
    expect(onPlan).not.toHaveBeenCalled();
  });

  test("of a branch that has moved downloads what has changed", async () => {
    await serve();
    const before = await pull("org/name");
    writeFileSync(join(repository, "config.json"), '{"model_type":"llama","changed":true}');
    hub.log.length = 0;
    const after = await pull("org/name");
    expect(after.commit).not.toBe(before.commit);
    expect(hub.downloads()).toEqual(["config.json"]);
    expect(readFileSync(inRepository("refs/main"), "utf8")).toBe(after.commit);
    expect(readFileSync(join(before.directory, "config.json"), "utf8")).not.toContain("changed");
  });

  test("names a branch with slashes in refs as git does", async () => {
    await serve({ revisions: ["main", "feature/x", "refs/pr/1"] });
    await pull("org/name@feature/x");
    await pull("org/name@refs/pr/1");
    for (const name of ["feature/x", "refs/pr/1"]) {
      expect(readFileSync(inRepository("refs", name), "utf8")).toBe(hub.commitOf("org/name"));
    }
  });

  test("without weights leaves them on the hub, and a later one with weights brings the rest", async () => {
    await serve();
    await pull("org/name", { weights: false });
    expect(hub.downloads()).not.toContain("model.safetensors");
    hub.log.length = 0;
    const { commit } = await pull("org/name");
    expect(hub.downloads()).toEqual(["model.safetensors"]);
    hub.log.length = 0;
    await pull(`org/name@${commit}`, { weights: false });
    expect(hub.log).toEqual([]);
  });

  test("works with a mirror that lists names alone", async () => {
    await serve({ namesOnly: true });
    await pull("org/name");
    expect(hub.downloads().sort()).toEqual(NEEDED);
    expect(hub.log.filter(({ host, method }) => host === "cdn" && method === "HEAD")).toEqual([]);
    expect(readlinkSync(inRepository("snapshots", hub.commitOf("org/name"), "model.safetensors"))).toBe(
      `../../blobs/${weights().sha256}`,
    );
  });
});

describe("shards", () => {
  const shards = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];
  const writeIndex = (files: readonly string[]) => {
    const map = Object.fromEntries(files.map((file, i) => [`w${i}`, file]));
    writeFileSync(join(repository, "model.safetensors.index.json"), JSON.stringify({ weight_map: map }));
  };

  beforeEach(() => {
    for (const shard of [...shards, "model-00009-of-00009.safetensors"]) {
      cpSync(join(repository, "model.safetensors"), join(repository, shard));
      writeFileSync(join(repository, shard), shard, { flag: "a" });
    }
    rmSync(join(repository, "model.safetensors"));
    writeIndex(shards);
  });

  test("are those that the index names, and the index is read first", async () => {
    await serve();
    const { files, commit } = await pull("org/name");
    expect(hub.downloads()[0]).toBe("model.safetensors.index.json");
    expect(hub.downloads().filter((name) => name.startsWith("model-"))).toEqual(shards);
    expect(files.map(({ name }) => name)).toContain("model.safetensors.index.json");
    hub.log.length = 0;
    await pull(`org/name@${commit}`);
    expect(hub.log).toEqual([]);
    rmSync(inRepository("snapshots", commit, shards[1]!));
    await pull(`org/name@${commit}`);
    expect(hub.log).not.toEqual([]);
  });

  test.each(["../model.safetensors", "sub/model.safetensors", "/etc/passwd", "a\\b"])(
    "with the name %j are refused",
    async (name) => {
      writeIndex([shards[0]!, name]);
      await serve();
      await expect(pull("org/name")).rejects.toThrow(failsWith("unsafe-path", "plain file names"));
      expect(hub.downloads()).toEqual(["model.safetensors.index.json"]);
    },
  );

  test("that the repository lacks are missed before anything large comes", async () => {
    writeIndex([...shards, "model-00003-of-00003.safetensors"]);
    await serve();
    await expect(pull("org/name")).rejects.toThrow(failsWith("missing-file", "model-00003-of-00003"));
    expect(hub.downloads()).toEqual(["model.safetensors.index.json"]);
  });
});

test.each(["../evil", "a/../../evil", "/etc/evil", "C:\\evil", "a\\..\\evil", "a//b", "a\0b"])(
  "a repository with a file called %j is refused as a whole",
  async (name) => {
    await serve({ extraNames: [name] });
    await expect(pull("org/name")).rejects.toThrow(
      failsWith("unsafe-path", "org/name: expected plain relative"),
    );
    expect(hub.downloads()).toEqual([]);
    expect(existsSync(cache)).toBe(false);
  },
);

test("a cache that Python has filled is used as it is, and completed", async () => {
  await serve();
  const commit = hub.commitOf("org/name");
  // As huggingface_hub writes it: the reference without a line break, relative links, locks that stay, no .no_exist.
  for (const path of ["refs", "blobs", `snapshots/${commit}`])
    mkdirSync(inRepository(path), { recursive: true });
  mkdirSync(join(cache, ".locks/models--org--name"), { recursive: true });
  writeFileSync(inRepository("refs/main"), commit);
  for (const { name, bytes, etag } of readFiles(repository)) {
    if (!NEEDED.includes(name) || name === "README.md") continue;
    writeFileSync(inRepository("blobs", etag), bytes);
    writeFileSync(join(cache, ".locks/models--org--name", `${etag}.lock`), "");
    symlinkSync(`../../blobs/${etag}`, inRepository("snapshots", commit, name));
  }
  const inode = statSync(inRepository("blobs", weights().etag)).ino;
  const known = await pull(`org/name@${commit}`);
  expect(hub.log).toEqual([]);
  expect(known.files.map(({ name }) => name)).toContain("model.safetensors");

  const pulled = await pull("org/name");
  expect(hub.downloads()).toEqual(["README.md"]);
  expect(pulled.files.filter(({ from }) => from === "cache")).toHaveLength(NEEDED.length - 1);
  expect(statSync(inRepository("blobs", weights().etag)).ino).toBe(inode);
});

test("a truncated blob in the cache is downloaded again", async () => {
  await serve();
  const { directory } = await pull("org/name");
  writeFileSync(inRepository("blobs", weights().etag), "short");
  await pull("org/name");
  expect(readFileSync(join(directory, "model.safetensors"))).toEqual(weights().bytes);
});

describe("a download", () => {
  const onCdn = () => hub.log.filter(({ host }) => host === "cdn");
  const isWhole = ({ directory }: { directory: string }) =>
    expect(readFileSync(join(directory, "model.safetensors"))).toEqual(weights().bytes);

  test("that is cut goes on where it stopped", async () => {
    await serve();
    hub.fail({ path: /^\/blob/, cutAfter: 70_000 });
    isWhole(await pull("org/name"));
    const [first, second] = onCdn();
    expect(first!.range).toBeUndefined();
    expect(Number(/^bytes=(\d+)-$/.exec(second!.range!)![1])).toBeGreaterThan(0);
    expect(Number(/^bytes=(\d+)-$/.exec(second!.range!)![1])).toBeLessThanOrEqual(70_000);
  });

  test("that was stopped goes on with the next pull, from the bytes that are there", async () => {
    await serve();
    hub.fail({ path: /^\/blob/, cutAfter: 100_000, stall: true });
    const controller = new AbortController();
    const reason = new Error("stopped");
    const onProgress: PullOptions["onProgress"] = ({ file, bytes }) => {
      if (file === "model.safetensors" && bytes > 65_536) controller.abort(reason);
    };
    await expect(pull("org/name", { onProgress, signal: controller.signal })).rejects.toBe(reason);
    const partial = inRepository("blobs", `${weights().etag}.armorm.incomplete`);
    const { size } = statSync(partial);
    expect(readFileSync(partial)).toEqual(weights().bytes.subarray(0, size));
    expect(existsSync(inRepository("refs/main"))).toBe(false);

    const plans: number[] = [];
    isWhole(await pull("org/name", { onPlan: ({ bytes }) => plans.push(bytes) }));
    expect(onCdn().at(-1)!.range).toBe(`bytes=${size}-`);
    expect(plans).toEqual([weights().bytes.length - size]);
    expect(existsSync(partial)).toBe(false);
    expect(readdirSync(join(cache, ".locks/models--org--name"))).toEqual([]);
  });

  test("whose range is answered with the whole file starts again", async () => {
    await serve();
    hub.fail({ path: /^\/blob/, cutAfter: 70_000 });
    hub.fail({ path: /^\/blob/, ignoreRange: true });
    isWhole(await pull("org/name"));
    expect(onCdn()).toHaveLength(2);
  });

  test("whose range the server does not have starts again", async () => {
    await serve();
    hub.fail({ path: /^\/blob/, cutAfter: 70_000 });
    hub.fail({ path: /^\/blob/, status: 416 });
    isWhole(await pull("org/name"));
    expect(onCdn().map(({ range }) => range === undefined)).toEqual([true, false, true]);
  });

  test("that resumes a damaged part notices, says so and starts again", async () => {
    await serve();
    mkdirSync(inRepository("blobs"), { recursive: true });
    writeFileSync(inRepository("blobs", `${weights().etag}.armorm.incomplete`), "x".repeat(1000));
    const notes: string[] = [];
    isWhole(await pull("org/name", { onNote: (line) => notes.push(line) }));
    expect(notes).toEqual([expect.stringContaining("damaged")]);
  });

  test("that a busy hub refuses for a while succeeds, after as long as it asks", async () => {
    await serve();
    hub.fail({ path: /^\/api/, status: 503 });
    hub.fail({ path: /^\/blob/, status: 429, headers: { "Retry-After": "1" } });
    const started = performance.now();
    isWhole(await pull("org/name"));
    expect(performance.now() - started).toBeGreaterThan(1400);
  });

  test("with other contents is deleted, and the error says so", async () => {
    await serve();
    const wrong = Buffer.from(weights().bytes);
    wrong[1234]! ^= 1;
    hub.fail({ path: /^\/blob/, body: wrong });
    await expect(pull("org/name")).rejects.toThrow(
      failsWith("wrong-hash", "model.safetensors with the sha256"),
    );
    expect(
      Object.keys(tree(inRepository("blobs"))).filter((name) => name.startsWith(weights().etag)),
    ).toEqual([]);
    expect(existsSync(inRepository("snapshots", hub.commitOf("org/name"), "model.safetensors"))).toBe(false);
    isWhole(await pull("org/name"));
  });

  test("of a small file with other contents fails by git's hash", async () => {
    await serve();
    const wrong = Buffer.from('{"model_type":"other"}');
    expect(wrong.length).toBe('{"model_type":"llama"}'.length);
    hub.fail({ path: /cached.*config\.json/, body: wrong });
    await expect(pull("org/name")).rejects.toThrow(failsWith("wrong-hash", "config.json with the git hash"));
  });

  test.each([
    ["longer", 300_000],
    ["shorter", 1000],
  ])("of a %s file is deleted, and the error says so", async (_, size) => {
    await serve();
    hub.fail({ path: /^\/blob/, body: Buffer.alloc(size) });
    await expect(pull("org/name")).rejects.toThrow(failsWith("wrong-size", `got ${size}`));
    expect(existsSync(inRepository("blobs", `${weights().etag}.armorm.incomplete`))).toBe(false);
  });

  test("of two pulls at once happens once", async () => {
    await serve();
    hub.fail({ path: /^\/blob/, cutAfter: 70_000 });
    const notes: string[] = [];
    const onNote = (line: string) => notes.push(line);
    for (const pulled of await Promise.all([pull("org/name", { onNote }), pull("org/name", { onNote })])) {
      isWhole(pulled);
    }
    expect(onCdn()).toHaveLength(2);
    expect(notes).toContain("model.safetensors: another process is downloading it; waiting");
  });

  test("goes on when the process that held its lock is gone", async () => {
    await serve();
    const locks = join(cache, ".locks/models--org--name");
    mkdirSync(locks, { recursive: true });
    const gone = { pid: 2 ** 22 + 1, host: hostname(), token: "x" };
    writeFileSync(join(locks, `${weights().etag}.armorm.lock`), JSON.stringify(gone));
    isWhole(await pull("org/name"));
    expect(readdirSync(locks)).toEqual([]);
  });
});

describe("the token", () => {
  test("goes to the hub with every request, and to no other host", async () => {
    await serve({ private: ["hf_mine"] });
    vi.stubEnv("HF_TOKEN", "hf_mine");
    await pull("org/name");
    const seen = (host: string) => hub.log.filter((r) => r.host === host).map((r) => r.authorization);
    expect(new Set(seen("hub"))).toEqual(new Set(["Bearer hf_mine"]));
    expect(new Set(seen("cdn"))).toEqual(new Set([undefined]));
  });

  test.each([
    [
      "gated, nobody signed in",
      { gated: ["hf_mine"] },
      undefined,
      "gated-repository",
      /accept its licence at .*org\/name/,
    ],
    ["gated, another account", { gated: ["x"] }, "hf_mine", "gated-repository", /HF_TOKEN/],
    ["private, nobody signed in", { private: ["hf_mine"] }, undefined, "missing-repository", /set HF_TOKEN/],
    ["private, another account", { private: ["x"] }, "hf_mine", "missing-repository", /account needs access/],
    ["not known to the hub", {}, "hf_wrong", "bad-token", /unset it for public/],
  ])("%s: the error says what to do, without the token", async (_, options, token, code, remedy) => {
    hub = await startHub({ "org/name": { directory: repository, ...options } }, { tokens: ["hf_mine"] });
    vi.stubEnv("HF_ENDPOINT", hub.endpoint);
    vi.stubEnv("HF_TOKEN", token);
    const error = await pull("org/name").catch((thrown) => thrown);
    expect(error).toMatchObject({ name: "InputError", code, remedy: expect.stringMatching(remedy) });
    expect(`${error.message} ${error.remedy}`).not.toMatch(/hf_(mine|wrong)|\n/);
  });
});

describe("the hub is asked for something that is not there:", () => {
  test("a repository", async () => {
    await serve();
    const expected = failsWith("missing-repository", "a folder of that name or a repository");
    await expect(pull("org/other")).rejects.toThrow(expected);
  });

  test("a revision: the error names the default", async () => {
    await serve();
    await expect(pull("org/name@v9")).rejects.toThrow(
      expect.objectContaining({ code: "missing-revision", remedy: expect.stringContaining("main") }),
    );
  });

  test("a file that its list names", async () => {
    await serve({ extraNames: ["chat_template.jinja"] });
    await expect(pull("org/name")).rejects.toThrow(failsWith("missing-file", "chat_template.jinja"));
  });

  test("safetensors: pickles are refused before anything is downloaded", async () => {
    rmSync(join(repository, "model.safetensors"));
    await serve();
    await expect(pull("org/name")).rejects.toThrow(failsWith("pickled-weights", "pytorch_model.bin"));
    expect(hub.downloads()).toEqual([]);
    rmSync(join(repository, "pytorch_model.bin"));
    rmSync(join(repository, "original"), { recursive: true });
    await expect(pull("org/name")).rejects.toThrow(failsWith("missing-tensors"));
    rmSync(join(repository, "config.json"));
    await expect(pull("org/name")).rejects.toThrow(failsWith("missing-config"));
  });

  test("a name that is none", async () => {
    await expect(pull("name")).rejects.toThrow(failsWith("bad-hub-id"));
  });
});

describe("without the hub", () => {
  test.each(["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"])(
    "%s takes what is cached, and asks nobody",
    async (name) => {
      await serve();
      const { commit } = await pull("org/name");
      hub.log.length = 0;
      vi.stubEnv(name, "1");
      for (const location of ["org/name", `org/name@${commit}`]) {
        expect(await pull(location)).toMatchObject({ commit });
      }
      for (const location of ["org/other", "org/name@v1", `org/name@${"0".repeat(40)}`]) {
        await expect(pull(location)).rejects.toThrow(failsWith("not-cached", location));
      }
      expect(hub.log).toEqual([]);
    },
  );

  test("an interrupted download is no copy", async () => {
    await serve();
    const { commit } = await pull("org/name", { weights: false });
    vi.stubEnv("HF_HUB_OFFLINE", "1");
    await expect(pull(`org/name@${commit}`)).rejects.toThrow(failsWith("not-cached"));
    expect(await pull(`org/name@${commit}`, { weights: false })).toMatchObject({ commit });
  });

  test("what is cached is used, with a note; what is not is missed", async () => {
    await serve();
    const { commit } = await pull("org/name");
    await hub.close();
    const onNote = vi.fn();
    expect(await pull("org/name", { onNote })).toMatchObject({ commit });
    expect(onNote).toHaveBeenCalledExactlyOnceWith(
      expect.stringMatching(/ECONNREFUSED; using commit .* cache/),
    );
    const error = failsWith("hub-unreachable", "got ECONNREFUSED");
    await expect(pull("org/other")).rejects.toThrow(error);
  });
});

test("a disk without room for the download is noticed before it starts", async () => {
  await serve({ listedBytes: { "model.safetensors": 10 ** 15 } });
  await expect(pull("org/name")).rejects.toThrow(
    failsWith("disk-full", "expected 1000000.00 GB of free space"),
  );
  expect(hub.downloads()).toEqual([]);
});

test("errors of the file system become errors for users", async () => {
  const failing = (code: string) =>
    explainFileErrors("/cache", () => Promise.reject(Object.assign(new Error(), { code })));
  await expect(failing("ENOSPC")).rejects.toThrow(failsWith("disk-full", "/cache"));
  for (const code of ["EROFS", "EACCES"]) {
    await expect(failing(code)).rejects.toThrow(failsWith("read-only-cache", `got ${code}`));
  }
});

// Root may write everywhere.
test.skipIf(process.getuid?.() === 0)("a cache that may only be read serves what it holds", async () => {
  await serve();
  const { commit } = await pull("org/name");
  rmSync(inRepository("snapshots", commit, "README.md"));
  const folders = ["", "refs", "blobs", "snapshots", `snapshots/${commit}`].map((path) => inRepository(path));
  for (const path of folders) chmodSync(path, 0o555);
  try {
    expect(await pull(`org/name@${commit}`)).toMatchObject({ commit });
    await expect(pull("org/name")).rejects.toThrow(failsWith("read-only-cache"));
  } finally {
    for (const path of folders) chmodSync(path, 0o755);
  }
});

describe("a proxy", () => {
  /** A proxy that passes requests on, and notes whose. */
  async function startProxy() {
    const targets: string[] = [];
    const server = createServer((incoming, outgoing) => {
      const { host } = new URL(incoming.url!);
      targets.push(host);
      request(incoming.url!, { method: incoming.method, headers: incoming.headers }, (answer) => {
        outgoing.writeHead(answer.statusCode!, answer.headers);
        answer.pipe(outgoing);
      }).end();
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const stop = () => {
      server.close();
      server.closeAllConnections();
    };
    return { targets, url, stop };
  }

  test.each(["http_proxy", "HTTP_PROXY"])("of %s is used, unless NO_PROXY names the host", async (name) => {
    await serve();
    const proxy = await startProxy();
    vi.stubEnv(name, proxy.url);
    await pull("org/name");
    expect(proxy.targets).toContain(new URL(hub.endpoint).host);
    expect(new Set(proxy.targets).size).toBe(2); // the host of large files too
    proxy.targets.length = 0;
    rmSync(cache, { recursive: true });
    vi.stubEnv(name === "HTTP_PROXY" ? "NO_PROXY" : "no_proxy", "127.0.0.1,localhost");
    await pull("org/name");
    expect(proxy.targets).toEqual([]);
    proxy.stop();
  });

  test("with another kind of address is refused, without showing it", async () => {
    await serve();
    vi.stubEnv("http_proxy", "me:secret@proxy");
    await expect(pull("org/name")).rejects.toThrow(failsWith("bad-proxy", "expected the address"));
  });

  test("that cannot be reached is a hub that cannot be reached", async () => {
    await serve();
    vi.stubEnv("http_proxy", "http://127.0.0.1:1");
    await expect(pull("org/name")).rejects.toThrow(failsWith("hub-unreachable", "ECONNREFUSED"));
  });
});
