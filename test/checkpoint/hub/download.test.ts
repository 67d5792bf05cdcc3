import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type PullOptions, pull } from "../../../src/checkpoint/hub/pull.ts";
import { cache, failsWith, hub, inRepository, serve, tree, weights } from "./hub-fixture.ts";

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
