import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Backbone, openBackbone } from "../../../src/backbone/backbone.ts";
import { EMBEDDED_DIRECTORY } from "../../../src/checkpoint/location.ts";
import { writeGguf } from "./gguf.ts";

// llama.cpp's own server, where there is one: the path of its binary.
const binary = process.env.ARMORM_LLAMA_SERVER;
const name = binary === undefined ? "skipped: no ARMORM_LLAMA_SERVER" : "llama-server";

describe.skipIf(binary === undefined)(name, () => {
  const folder = mkdtempSync(join(tmpdir(), "armorm-gguf-"));
  const gguf = join(folder, "tiny.gguf");
  let local: Backbone;
  let server: ChildProcess | undefined;

  beforeAll(async () => {
    await writeGguf(EMBEDDED_DIRECTORY, gguf);
    local = await openBackbone("tiny");
  });
  afterAll(async () => {
    server?.kill();
    await local.close();
    rmSync(folder, { recursive: true });
  });

  /** Starts it; requests wait until its model is loaded. */
  async function serve(...more: string[]): Promise<string> {
    server?.kill();
    const port = await freePort();
    const common = ["-m", gguf, "--host", "127.0.0.1", "--port", `${port}`, "--embeddings"];
    const sizes = ["--ctx-size", "4096", "--parallel", "4", "--threads", "1"];
    server = spawn(binary!, [...common, ...sizes, ...more], { stdio: "ignore" });
    return `127.0.0.1:${port}`;
  }

  const requests = Array.from({ length: 12 }, (_, r) => {
    const length = 5 + 23 * r;
    const ids = Array.from({ length }, (_, i) => (i < 4 ? i : i * 7919 + r * 31) % 4096);
    return { ids, positions: [length >> 1, length - 1] };
  });
  const exact = ["--flash-attn", "off", "--cache-type-k", "f32", "--cache-type-v", "f32"];
  const none = ["--pooling", "none", "--batch-size", "1024", "--ubatch-size", "1024"];

  test.each([
    ["last", ["--pooling", "last"]],
    ["all", none],
  ] as const)(
    "pooling %s gives the local states up to rounding",
    async (pooling, flags) => {
      await using remote = await openBackbone(
        `llama-server+http://${await serve(...flags, ...exact)}?pooling=${pooling}#tiny`,
      );
      expect(remote).toMatchObject({ dtype: "remote:f32", maxTokens: 1024, fingerprint: local.fingerprint });
      const there = await remote.hiddenStates(requests);
      const here = await local.hiddenStates(requests);
      const worst = Math.max(...here.map((rows, r) => relativeError(rows, there[r]!)));
      expect(worst).toBeLessThan(1e-5);
    },
    60_000,
  );

  test("one that was started otherwise is refused with the option to change", async () => {
    const unpooled = await serve(...none);
    await expect(openBackbone(`llama-server+http://${unpooled}#tiny`)).rejects.toMatchObject({
      code: "remote-refused",
      remedy: expect.stringContaining("--pooling last"),
    });
    const pooled = await serve("--pooling", "last");
    await expect(openBackbone(`llama-server+http://${pooled}?pooling=all#tiny`)).rejects.toMatchObject({
      remedy: expect.stringContaining("--pooling none"),
    });
    const small = await serve("--pooling", "none", "--batch-size", "32", "--ubatch-size", "32");
    await using remote = await openBackbone(`llama-server+http://${small}?pooling=all#tiny`);
    await expect(remote.hiddenStates(requests)).rejects.toMatchObject({
      code: "remote-refused",
      remedy: expect.stringContaining("--ubatch-size"),
    });
  }, 60_000);
});

function relativeError(expected: Float32Array, got: Float32Array): number {
  let [difference, norm] = [0, 0];
  expected.forEach((value, i) => {
    difference += (value - got[i]!) ** 2;
    norm += value ** 2;
  });
  return Math.sqrt(difference / norm);
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
