import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { cp, mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { requireVocabulary } from "../../src/chat/vocabulary.ts";
import { openEmbedder } from "../../src/embedding/embedder.ts";
import { openRewardModel } from "../../src/opening/open-reward-model.ts";
import { writeFsfairxCheckpoint } from "../siblings/fsfairx-checkpoint.ts";
import { tinyDirectory } from "./checkpoints.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "vocabulary-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Adds a token whose id is beyond the embedding. */
function addToken(directory: string, id: number): void {
  const path = join(directory, "tokenizer.json");
  const json = JSON.parse(readFileSync(path, "utf8"));
  json.added_tokens.push({ id, content: "<|extra|>", special: true, normalized: false });
  writeFileSync(path, JSON.stringify(json));
}

test("a tokenizer whose ids all have rows is accepted", () => {
  expect(() => requireVocabulary({ maxId: 9 }, 10, "model")).not.toThrow();
  expect(() => requireVocabulary({ maxId: 10 }, 10, "model")).toThrow("token ids up to 9");
});

test("a vocabulary larger than the embedding is refused before anything is embedded or scored", async () => {
  const tiny = join(folder, "tiny");
  await cp(tinyDirectory, tiny, { recursive: true });
  addToken(tiny, 4096);
  const refusal = {
    code: "vocabulary-too-large",
    message: expect.stringContaining("got a tokenizer with id 4096"),
  };
  await expect(openEmbedder(tiny)).rejects.toMatchObject(refusal);
  writeFsfairxCheckpoint(join(folder, "classifier"));
  addToken(join(folder, "classifier"), 4096);
  await using model = await openRewardModel(join(folder, "classifier"));
  const conversation = [
    { role: "user", content: "Hi" },
    { role: "assistant", content: "Hello" },
  ];
  await expect(model.score([conversation])).rejects.toMatchObject(refusal);
});
