import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, test, vi } from "vitest";
import { explainFileErrors } from "../../../src/checkpoint/hub/file-errors.ts";
import { pull } from "../../../src/checkpoint/hub/pull.ts";
import {
  cache,
  failsWith,
  hub,
  inRepository,
  NEEDED,
  repository,
  serve,
  tree,
  weights,
} from "./hub-fixture.ts";
import { readFiles } from "./hub-server.ts";

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
