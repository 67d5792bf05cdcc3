import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { parseConfiguration, readConfiguration } from "../../src/configuration/read-configuration.ts";

const folder = mkdtempSync(join(tmpdir(), "armorm-configuration-"));
afterAll(() => rmSync(folder, { recursive: true }));
const data = { ratings: ["r.jsonl"], pairs: ["p.jsonl"] };

test.each([
  [3, "expected keys and values (backbone, chat,"],
  [{ pairs: ["p"] }, "ratings: expected a list of data locations, got none"],
  [{ ...data, ratings: [] }, "ratings: expected a list with at least one data location, got []"],
  [{ ...data, ratings: "r" }, 'ratings: expected a list of data locations, got "r"'],
  [{ ...data, ratings: ["r", 3] }, "ratings[1]: expected PATH, NAME=PATH or org/name[@revision][:split], or"],
  [{ ...data, ratings: [{ data: "r", limit: 0 }] }, "ratings[0].limit: expected an integer ≥ 1, got 0"],
  [{ ...data, ratings: [{ limit: 3 }] }, "ratings[0].data: expected PATH, NAME=PATH"],
  [
    { ...data, ratings: [{ embeddings: 3 }] },
    "ratings[0].embeddings: expected the directory of an embedding",
  ],
  [
    { ...data, ratings: [{ data: "r", embeddings: "e" }] },
    "ratings[0]: expected a known key, got embeddings",
  ],
  [{ ...data, gating: { dropout: 1 } }, "gating.dropout: expected a number in [0, 1), got 1"],
  [{ ...data, gating: { steps: 1.5 } }, "gating.steps: expected an integer ≥ 1, got 1.5"],
  [
    { ...data, gating: { labelSmoothing: 0.5 } },
    "gating.labelSmoothing: expected a number in [0, 0.5), got 0.5",
  ],
  [
    { ...data, gating: { targetMargins: true } },
    "gating.targetMargins: expected off or {scale: …}, got true",
  ],
  [{ ...data, gating: { targetMargins: { scale: 0 } } }, "gating.targetMargins.scale: expected a number > 0"],
  [{ ...data, gating: { balance: { code: -1 } } }, "gating.balance.code: expected a number ≥ 0, got -1"],
  [
    { ...data, gating: { patience: "ever" } },
    'gating.patience: expected an integer ≥ 1 or never, got "ever"',
  ],
  [{ ...data, regression: { alphas: [1, -1] } }, "regression.alphas[1]: expected a number ≥ 0, got -1"],
  [{ ...data, regression: { folds: 1 } }, "regression.folds: expected an integer ≥ 2, got 1"],
  [{ ...data, debiasing: { method: "roots" } }, "debiasing.method: expected one of root, grid, got"],
  [
    { ...data, split: { validationFraction: 0 } },
    "split.validationFraction: expected a number in (0, 1), got 0",
  ],
  [
    { ...data, embedding: { dtype: "f64" } },
    "embedding.dtype: expected one of auto, f32, f16, int8, int4, got",
  ],
  [{ ...data, chat: { bos: true } }, "chat.bos: expected one of on, off, got true"],
  [{ ...data, record: {} }, "record.chat: expected keys and values (fingerprint), got none"],
])("%j is refused with the key, what it expects, and what it got", async (value, message) => {
  await expect(parseConfiguration(value, "train.yaml")).rejects.toMatchObject({
    code: "bad-configuration",
    message: expect.stringContaining(`train.yaml: ${message}`),
  });
});

test.each([
  [{ ...data, gatting: {} }, "got gatting; did you mean gating?"],
  [{ ...data, gating: { dropuot: 0 } }, "gating: expected a known key, got dropuot; did you mean dropout?"],
  [{ ...data, embedding: { max_tokens: 9 } }, "got max_tokens; did you mean maxTokens?"],
  [
    { ...data, ratings: [{ data: "r", limt: 3 }] },
    "ratings[0]: expected a known key, got limt; did you mean limit?",
  ],
  [
    { ...data, split: { xyzzy: 1 } },
    "got xyzzy; known are validationFraction, testFraction, dropOverlaps, seed",
  ],
])("%j: a key that is not known is refused with the nearest one", async (value, message) => {
  await expect(parseConfiguration(value, "train.yaml")).rejects.toThrow(message);
});

test("of several mistakes the first is told, and how many there are", async () => {
  const value = { ...data, split: { seed: "one" }, xyzzy: 1, gating: { steps: 0 } };
  const error = await parseConfiguration(value, "train.yaml").catch((caught) => caught);
  expect(error.message).toBe('train.yaml: split.seed: expected an integer, got "one"');
  expect(error.remedy).toBe("2 more after this one; docs/training.md lists every key");
});

test("null stands for a key that is left out, YAML's off for the word", async () => {
  const path = join(folder, "train.yaml");
  writeFileSync(
    path,
    "ratings: [r.jsonl]\npairs: [p.jsonl]\nchat: {bos: off, template: null}\nregression: {folds: null}\ngating: {patience: never, targetMargins: off, weightDecay: 1e-2}\n",
  );
  expect(await readConfiguration(path)).toEqual({
    folder,
    configuration: {
      ...data,
      chat: { bos: "off" },
      regression: {},
      gating: { patience: "never", targetMargins: "off", weightDecay: 0.01 },
    },
  });
});

test("JSON is read too; what is neither is refused by its line", async () => {
  const path = join(folder, "train.json");
  writeFileSync(path, JSON.stringify(data));
  expect((await readConfiguration(path)).configuration).toEqual(data);
  writeFileSync(path, "ratings: [r\npairs: [p]\n");
  await expect(readConfiguration(path)).rejects.toThrow(
    `${path}, line 2: expected YAML, got something else: `,
  );
  writeFileSync(path, "out: a\nout: b\n");
  await expect(readConfiguration(path)).rejects.toThrow(/line 2: expected YAML, .*Map keys must be unique/);
  await expect(readConfiguration(join(folder, "none.yaml"))).rejects.toThrow("got ENOENT");
});
