import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { beforeEach, describe, expect, test, vi } from "vitest";
import { pullDataset } from "../../../src/checkpoint/hub/pull-dataset.ts";
import { cache, failsWith, hub, repository, serveAs, tree } from "./hub-fixture.ts";

/** Serves these files as the data set org/data. */
async function serveData(files: Record<string, string>, converted?: Record<string, string>): Promise<void> {
  const write = (folder: string, contents: Record<string, string>) => {
    for (const [name, text] of Object.entries(contents)) {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), text);
    }
    return folder;
  };
  rmSync(repository, { recursive: true });
  const directory = write(join(repository, "main"), files);
  const branches = converted && { "refs/convert/parquet": write(join(repository, "converted"), converted) };
  await serveAs("datasets/org/data", { directory, ...(branches ? { branches } : {}) });
}

const card = (yaml: string) => `---\nlicense: mit\n${yaml}---\n# A data set\n`;
const filesOf = async (location: string) => (await pullDataset(location)).files.map(({ name }) => name);

/** As allenai/reward-bench is laid out. */
const REWARD_BENCH = {
  "README.md": card(
    "configs:\n- config_name: default\n  data_files:\n  - split: raw\n    path: data/raw-*\n  - split: filtered\n    path: data/filtered-*\n",
  ),
  "data/raw-00000-of-00001.parquet": "raw",
  "data/filtered-00000-of-00001.parquet": "filtered",
  ".gitattributes": "",
};

describe("one split", () => {
  beforeEach(() => serveData(REWARD_BENCH));

  test("is downloaded with the card, and nothing else is", async () => {
    const pulled = await pullDataset("org/data:filtered");
    const commit = hub.commitOf("datasets/org/data");
    expect(pulled).toMatchObject({
      id: "org/data",
      revision: "main",
      commit,
      config: "default",
      split: "filtered",
      name: `org/data@${commit}:default/filtered`,
      files: [{ name: "data/filtered-00000-of-00001.parquet", bytes: 8, from: "hub" }],
    });
    expect(hub.downloads().sort()).toEqual(["README.md", "data/filtered-00000-of-00001.parquet"]);
    expect(readFileSync(join(pulled.directory, pulled.files[0]!.name), "utf8")).toBe("filtered");
  });

  test("lies in the folder that Python's libraries look in", async () => {
    await pullDataset("org/data:filtered");
    const commit = hub.commitOf("datasets/org/data");
    const there = Object.keys(tree(cache));
    expect(there).toContain("datasets--org--data/refs/main");
    expect(there).toContain(`datasets--org--data/snapshots/${commit}/data/filtered-00000-of-00001.parquet`);
    expect(there.every((name) => name.startsWith("datasets--org--data/"))).toBe(true);
  });

  test("by its commit needs no network, offline neither", async () => {
    const { name, files } = await pullDataset("org/data:filtered");
    hub.log.length = 0;
    expect((await pullDataset(name)).files).toEqual(files.map((file) => ({ ...file, from: "cache" })));
    expect(hub.log).toEqual([]);
    vi.stubEnv("HF_HUB_OFFLINE", "1");
    expect(await pullDataset("org/data:filtered")).toMatchObject({ name });
    await expect(pullDataset("org/data:raw")).rejects.toEqual(failsWith("not-cached", "org/data@main:raw"));
    expect(hub.log).toEqual([]);
  });

  test("of a branch is looked up each time, and taken from the cache where the hub cannot be reached", async () => {
    const { name } = await pullDataset("org/data:filtered");
    await hub.close();
    const notes: string[] = [];
    expect(await pullDataset("org/data:filtered", { onNote: (line) => notes.push(line) })).toMatchObject({
      name,
    });
    expect(notes).toEqual([expect.stringMatching(/using commit [0-9a-f]{12} from the cache/)]);
    await expect(pullDataset("org/data:raw")).rejects.toEqual(failsWith("hub-unreachable"));
  });

  test("must be named where there are several, and must be there", async () => {
    await expect(pullDataset("org/data")).rejects.toMatchObject({
      code: "ambiguous-split",
      remedy: "there are raw, filtered: write org/data:raw",
    });
    await expect(pullDataset("org/data:test")).rejects.toEqual(failsWith("missing-split", "the split test"));
    await expect(pullDataset("org/none:test")).rejects.toEqual(
      failsWith("missing-repository", "or a data set at"),
    );
    await expect(pullDataset("org/data@v9:raw")).rejects.toEqual(failsWith("missing-revision"));
    await expect(pullDataset("just-a-name")).rejects.toEqual(failsWith("bad-hub-id"));
  });

  test("that came half is resumed", async () => {
    hub.fail({ path: /^\/blob/, cutAfter: 3 });
    await pullDataset("org/data:filtered");
    expect(hub.log.filter(({ host }) => host === "cdn").map(({ range }) => range)).toEqual([
      undefined,
      "bytes=3-",
    ]);
  });
});

describe("configurations of the card", () => {
  const several = (more = "") =>
    card(
      `configs:\n- config_name: easy\n  data_files: easy/*.jsonl\n- config_name: hard\n${more}  data_files:\n  - split: train\n    path: ["hard/a.jsonl", "hard/b.jsonl"]\n  - split: test\n    path: hard/t/**\n`,
    );
  const files = { "easy/1.jsonl": "1", "easy/2.jsonl": "2", "hard/a.jsonl": "a", "hard/b.jsonl": "b" };

  test("are chosen by name, and listed where none is named", async () => {
    await serveData({ "README.md": several(), ...files, "hard/t/x.jsonl": "x", "hard/t/notes.txt": "" });
    expect(await filesOf("org/data:easy/train")).toEqual(["easy/1.jsonl", "easy/2.jsonl"]);
    expect(await filesOf("org/data:hard/test")).toEqual(["hard/t/x.jsonl"]);
    await expect(pullDataset("org/data:train")).rejects.toMatchObject({
      code: "ambiguous-split",
      remedy: expect.stringContaining("there are easy/train, hard/train, hard/test"),
    });
    await expect(pullDataset("org/data:other/train")).rejects.toEqual(
      failsWith("missing-split", "configuration other"),
    );
  });

  test("the default one needs no name", async () => {
    await serveData({ "README.md": several("  default: true\n"), ...files });
    expect(await filesOf("org/data:train")).toEqual(["hard/a.jsonl", "hard/b.jsonl"]);
  });

  test("a card that is no YAML, or lists nothing, leaves it to the names", async () => {
    await serveData({ "README.md": "---\n: [}\n---\n", "train.jsonl": "x" });
    expect(await filesOf("org/data")).toEqual(["train.jsonl"]);
  });
});

describe("without a list, the names of files say what belongs together", () => {
  const cases: [what: string, files: string[], location: string, found: string[]][] = [
    [
      "shards",
      ["data/test-00000-of-00002.parquet", "data/test-00001-of-00002-ab12.parquet", "x.csv"],
      "",
      ["data/test-00000-of-00002.parquet", "data/test-00001-of-00002-ab12.parquet"],
    ],
    [
      "files",
      ["train.jsonl.gz", "validation.jsonl.gz", "extra/notes.jsonl.gz"],
      ":validation",
      ["validation.jsonl.gz"],
    ],
    ["words in names", ["my_train_1.csv", "my-dev.csv"], ":validation", ["my-dev.csv"]],
    [
      "folders",
      ["test/a.jsonl", "train/b.jsonl", "train/c.jsonl"],
      ":train",
      ["train/b.jsonl", "train/c.jsonl"],
    ],
    ["a file of the name", ["filtered.parquet", "raw.parquet"], ":filtered", ["filtered.parquet"]],
    ["everything is train", ["a.csv", "b.csv"], ":train", ["a.csv", "b.csv"]],
    [
      "a folder as configuration",
      ["a/train.jsonl", "b/train.jsonl", "b/test.jsonl"],
      ":b/train",
      ["b/train.jsonl"],
    ],
    [
      "shards in folders",
      ["a/train-00000-of-00001.parquet", "b/train-00000-of-00001.parquet"],
      ":b/train",
      ["b/train-00000-of-00001.parquet"],
    ],
    ["Parquet before others", ["train.parquet", "train.jsonl", "config.json"], "", ["train.parquet"]],
  ];
  test.each(cases)("%s", async (_, names, location, found) => {
    await serveData(Object.fromEntries(names.map((name) => [name, name])));
    expect(await filesOf(`org/data${location}`)).toEqual(found);
  });

  test("configurations in folders are listed where none is named", async () => {
    await serveData({ "a/train-00000-of-00001.parquet": "", "b/train-00000-of-00001.parquet": "" });
    await expect(pullDataset("org/data:train")).rejects.toMatchObject({
      code: "ambiguous-split",
      remedy: expect.stringContaining("a/train, b/train"),
    });
  });

  test("a shard that is missing is named", async () => {
    await serveData({ "data/train-00000-of-00002.parquet": "" });
    await expect(pullDataset("org/data")).rejects.toEqual(
      failsWith("missing-shard", "data/train-00001-of-00002.parquet"),
    );
  });
});

describe("a repository without files that can be read", () => {
  const others = { "README.md": card(""), "data.arrow": "x", "load.py": "y" };

  test("is read as the hub has converted it", async () => {
    await serveData(others, { "default/train/0000.parquet": "a", "default/train/0001.parquet": "b" });
    const commit = hub.commitOf("datasets/org/data", "refs/convert/parquet");
    const pulled = await pullDataset("org/data:train");
    expect(pulled).toMatchObject({
      commit,
      revision: "main",
      name: `org/data@${commit}:default/train`,
      files: [{ name: "default/train/0000.parquet" }, { name: "default/train/0001.parquet" }],
    });
    hub.log.length = 0;
    expect((await pullDataset(pulled.name)).directory).toBe(pulled.directory);
    vi.stubEnv("HF_HUB_OFFLINE", "1");
    expect(await pullDataset("org/data:train")).toMatchObject({ commit });
    expect(hub.log).toEqual([]);
  });

  test("configurations of the conversion are listed, and a part is not taken for the whole", async () => {
    await serveData(others, { "a/train/0000.parquet": "a", "b/partial-train/0000.parquet": "b" });
    expect(await filesOf("org/data:a/train")).toEqual(["a/train/0000.parquet"]);
    await expect(pullDataset("org/data")).rejects.toMatchObject({
      remedy: expect.stringContaining("a/train, b/partial-train"),
    });
    expect(await filesOf("org/data:b/partial-train")).toEqual(["b/partial-train/0000.parquet"]);
  });

  test("is refused where there is no conversion, and at another revision", async () => {
    await serveData(others);
    await expect(pullDataset("org/data")).rejects.toEqual(failsWith("no-data-files", "has not converted"));
    const commit = hub.commitOf("datasets/org/data");
    await expect(pullDataset(`org/data@${commit}`)).rejects.toEqual(failsWith("no-data-files"));
  });
});

describe("files that Python has downloaded", () => {
  beforeEach(async () => {
    await serveData(REWARD_BENCH);
    await pullDataset("org/data:filtered");
    rmSync(join(cache, "datasets--org--data/.armorm"), { recursive: true });
    hub.log.length = 0;
  });

  test("are used as they are, offline and when the hub cannot be reached", async () => {
    const commit = hub.commitOf("datasets/org/data");
    vi.stubEnv("HF_HUB_OFFLINE", "1");
    expect(await pullDataset("org/data:filtered")).toMatchObject({ commit });
    vi.stubEnv("HF_HUB_OFFLINE", undefined);
    await hub.close();
    expect(await pullDataset(`org/data@${commit}:filtered`)).toMatchObject({ commit });
    expect(existsSync(join(cache, "datasets--org--data/.armorm"))).toBe(false);
  });

  test("are compared once with what the commit holds, and not downloaded again", async () => {
    const pinned = `org/data@${hub.commitOf("datasets/org/data")}:filtered`;
    await pullDataset(pinned);
    await pullDataset(pinned);
    expect(hub.log.map(({ url }) => url.replace(/\/[0-9a-f]{40}.*/, ""))).toEqual([
      "/api/datasets/org/data/revision",
    ]);
  });
});
