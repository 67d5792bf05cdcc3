import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type CliResult, runCli } from "../run-cli.ts";
import { waitFor } from "../server/mortal-model.ts";
import { writeSmallModel } from "./small-model.ts";

const folder = mkdtempSync(join(tmpdir(), "armorm-cli-serve-"));
const model = join(folder, "model");
const messages = [
  { role: "user", content: "Name a prime." },
  { role: "assistant", content: "A secret: seven." },
];
beforeAll(() => writeSmallModel(model), 60_000);
afterAll(() => rmSync(folder, { recursive: true }));

/** A server as a user starts it, on a free port, with what it logs. */
async function start(args: readonly string[] = [], env: Readonly<Record<string, string>> = {}) {
  const run = runCli(["serve", "--model", model, "--port", "0", "--threads", "1", ...args], { env });
  let ended: CliResult | null = null;
  void run.then((result) => {
    ended = result;
  });
  const url = await waitFor(() => {
    if (ended !== null) throw new Error(`it ended: ${JSON.stringify(ended)}`);
    const [, found] = /"url":"([^"]+)"/.exec(run.stderr()) ?? [];
    if (found === undefined) throw new Error("not listening yet");
    return found;
  });
  return { run, url };
}

const post = (url: string, body: unknown, headers: Record<string, string> = {}) =>
  fetch(`${url}/v1/score`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });
const linesOf = (text: string) =>
  text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);

describe("armorm serve", { timeout: 300_000 }, () => {
  test("gives what score --json gives, logs a line per request without its messages, and stops on SIGTERM with 0", async () => {
    const { run, url } = await start();
    const response = await post(url, { messages }, { "x-request-id": "mine" });
    const scored = await runCli(["score", "--model", model, "--threads", "1", "--json"], {
      input: JSON.stringify({ messages }),
    });
    expect(await response.json()).toEqual(JSON.parse(scored.stdout));
    run.kill("SIGTERM");
    const { code, stdout, stderr } = await run;
    expect([code, stdout]).toEqual([0, ""]);
    expect(stderr).not.toContain("secret");
    const lines = linesOf(stderr);
    expect(lines.map(({ msg }) => msg)).toEqual([
      "listening",
      "answered",
      "stopping: what has arrived is finished",
      "stopped",
    ]);
    expect(lines[1]).toMatchObject({
      level: "info",
      requestId: "mine",
      route: "/v1/score",
      status: 200,
      items: 1,
    });
  });

  test("finishes what has arrived before it stops; a second signal ends it at once", async () => {
    const conversations = Array.from({ length: 60 }, (_, i) => [
      messages[0],
      { role: "assistant", content: `${"Well. ".repeat(50)}${i}` },
    ]);
    const busy = async (url: string) => {
      const pending = post(url, { conversations });
      await waitFor(async () => {
        const { queued } = (await (await fetch(`${url}/health`)).json()) as { queued: number };
        expect(queued).toBeGreaterThan(0);
      });
      return { pending };
    };
    const first = await start(["--max-batch-tokens", "256"]);
    const { pending } = await busy(first.url);
    first.run.kill("SIGINT");
    const results = (await (await pending).json()) as unknown[];
    expect(results).toHaveLength(60);
    expect((await first.run).code).toBe(0);

    const second = await start(["--max-batch-tokens", "256"]);
    const cut = expect((await busy(second.url)).pending).rejects.toThrow();
    second.run.kill("SIGTERM");
    await waitFor(() => expect(second.run.stderr()).toContain("stopping"));
    second.run.kill("SIGTERM");
    expect((await second.run).code).toBe(143);
    await cut;
  });

  test("ends at once when SIGTERM comes before there is a server, as the first process of a container too", async () => {
    // A hub that never answers: the model is being fetched for ever.
    let asked = false;
    const hub = createServer(() => {
      asked = true;
    });
    await new Promise<void>((resolve) => hub.listen(0, "127.0.0.1", resolve));
    const { port } = hub.address() as AddressInfo;
    const env = { HF_ENDPOINT: `http://127.0.0.1:${port}`, HF_HOME: join(folder, "cache") };
    const run = runCli(["serve", "--model", "org/model", "--port", "0"], { env });
    await waitFor(() => expect(asked).toBe(true));
    run.kill("SIGTERM");
    // A code of its own: a handler ended it, not the signal, which the first process of a container does not get without one.
    expect((await run).code).toBe(143);
    hub.closeAllConnections();
    hub.close();
  });

  test("takes keys from a file and from the environment, and then answers on other addresses", async () => {
    const file = join(folder, "keys");
    writeFileSync(file, "first\nsecond\n");
    const args = ["--host", "0.0.0.0", "--api-key-file", file, "--log-messages"];
    const { run, url } = await start(args, { ARMORM_API_KEY: "third" });
    const local = url.replace("0.0.0.0", "127.0.0.1");
    for (const key of ["first", "second", "third"]) {
      expect((await post(local, { messages }, { authorization: `Bearer ${key}` })).status).toBe(200);
    }
    expect((await post(local, { messages })).status).toBe(401);
    run.kill("SIGTERM");
    expect((await run).stderr).toContain("A secret: seven.");
  });

  test("is refused with exit code 2 where others could call without a key, and for keys that are none", async () => {
    const refused = async (args: readonly string[], env?: Record<string, string>) => {
      const { code, stderr } = await runCli(
        ["serve", "--model", model, "--port", "0", ...args],
        env ? { env } : {},
      );
      expect(code).toBe(2);
      return stderr;
    };
    expect(await refused(["--host", "0.0.0.0"])).toMatch(
      /expected an API key for 0\.0\.0\.0.*\n.*--allow-anonymous/,
    );
    expect(await refused([], { ARMORM_API_KEY: "" })).toMatch(/expected API keys/);
    expect(await refused(["--api-key-file", join(folder, "nothing")])).toMatch(/expected a readable file/);
    expect(await refused(["--port", "70000"])).toMatch(/expected a whole number from 0 to 65535/);
    expect(await refused(["--max-queue", "1"])).toMatch(/expected a queue of at least 256/);
    expect(await refused(["--model", join(folder, "nothing")])).toMatch(/expected a model directory/);
  });
});
