import { rmSync } from "node:fs";
import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, test, vi } from "vitest";
import { pull } from "../../../src/checkpoint/hub/pull.ts";
import { cache, failsWith, hub, serve } from "./hub-fixture.ts";

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
