import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { locateSources } from "../../src/configuration/locate-sources.ts";

const folder = mkdtempSync(join(tmpdir(), "armorm-locate-"));
afterAll(() => rmSync(folder, { recursive: true }));
mkdirSync(join(folder, "org/local"), { recursive: true });
writeFileSync(join(folder, "a=b.jsonl"), "{}\n");
const COMMIT = "0".repeat(40);

const asked: string[] = [];
const locators = {
  checkpoint: async (location: string) => {
    asked.push(location);
    return `${location}@${COMMIT}`;
  },
  data: async (location: string) => {
    asked.push(location);
    return location.replace(":", `@${COMMIT}:default/`);
  },
};
const locate = (configuration: object) =>
  locateSources({ folder, configuration: configuration as never }, join(folder, "models/m"), locators);

test("repositories are downloaded and stored with their commits; what lies in the folder is found there", async () => {
  const found = await locate({
    backbone: "org/backbone",
    ratings: ["hs=org/ratings:train", "org/local"],
    pairs: [{ data: "./a=b.jsonl", limit: 3 }],
    evaluation: [{ embeddings: folder }],
  });
  expect(asked).toEqual(["org/backbone", "org/ratings:train"]);
  expect(found.backbone).toBe(`org/backbone@${COMMIT}`);
  const hub = `org/ratings@${COMMIT}:default/train`;
  expect(found.sources).toMatchObject([
    { place: "ratings[0]", data: { source: "hs", prefix: "hs-", path: hub } },
    { place: "ratings[1]", data: { source: "local", prefix: "", path: join(folder, "org/local") } },
    { place: "pairs[0]", data: { source: "a=b", path: join(folder, "a=b.jsonl") }, options: { limit: 3 } },
    { place: "evaluation[0]", directory: folder },
  ]);
  expect(found.stored).toEqual({
    backbone: `org/backbone@${COMMIT}`,
    chat: {},
    embedding: { directory: "../../embedded" },
    ratings: [{ data: `hs=${hub}` }, { data: "../../org/local" }],
    pairs: [{ data: "../../a=b.jsonl", limit: 3 }],
    reference: [],
    evaluation: [{ embeddings: folder }],
  });
});

test("a remote engine stays the location that it is", async () => {
  asked.length = 0;
  const backbone = "vllm+http://localhost:9999#org/name";
  const found = await locate({ backbone, ratings: ["org/local"], pairs: ["./a=b.jsonl"] });
  expect(asked).toEqual([backbone]);
  expect(found.backbone).toBe(`${backbone}@${COMMIT}`);
});

test("a file that is not there is told before anything is downloaded", async () => {
  asked.length = 0;
  const configuration = { backbone: "org/backbone", ratings: ["org/ratings:train"], pairs: ["p.jsonl"] };
  await expect(locate(configuration)).rejects.toMatchObject({
    code: "missing-file",
    message: `pairs[0]: expected a file, a folder or a data set on the hub, got nothing at ${join(folder, "p.jsonl")}`,
  });
  expect(asked).toEqual([]);
});
