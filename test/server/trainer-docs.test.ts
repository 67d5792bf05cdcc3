import { spawn, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { expect, test } from "vitest";

const page = readFileSync(join(import.meta.dirname, "../../docs/trainers.md"), "utf8");
const programs = [...page.matchAll(/```python\n([\s\S]*?)```/g)].map((match) => match[1]!);
const hasPython = spawnSync("python3", ["--version"]).status === 0;
const withPython = (title: string) => (hasPython ? title : `${title} (skipped: no python3)`);

test.skipIf(!hasPython)(withPython("every callable in the documentation is valid Python"), () => {
  expect(programs).toHaveLength(5);
  for (const program of programs) {
    const { status, stderr } = spawnSync("python3", ["-c", "import ast, sys; ast.parse(sys.stdin.read())"], {
      input: program,
      encoding: "utf8",
    });
    expect(stderr).toBe("");
    expect(status).toBe(0);
  }
});

test.skipIf(!hasPython)(
  withPython("the callable sends batches with the key, and raises on a bad item"),
  async () => {
    const requests: { key: string | undefined; size: number }[] = [];
    const server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => {
        const { conversations } = JSON.parse(Buffer.concat(chunks).toString()) as {
          conversations: unknown[][];
        };
        requests.push({ key: request.headers.authorization, size: conversations.length });
        const results = conversations.map((messages, index) =>
          messages.length === 0
            ? { index, error: { code: "bad-messages", message: "nothing there", remedy: "" } }
            : { index, score: messages.length },
        );
        response.setHeader("content-type", "application/json");
        response.end(JSON.stringify(results));
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const run = (line: string) =>
      new Promise<{ code: number | null; out: string }>((resolve) => {
        const child = spawn(
          "python3",
          ["-c", `${programs.find((text) => text.includes("def score"))}\n${line}`],
          {
            env: { ...process.env, ARMORM_URL: url, ARMORM_API_KEY: "secret" },
          },
        );
        let out = "";
        child.stdout.on("data", (chunk: Buffer) => (out += chunk.toString()));
        child.stderr.on("data", (chunk: Buffer) => (out += chunk.toString()));
        child.on("close", (code) => resolve({ code, out }));
      });
    try {
      expect(await run("print(score([[{}], [{}, {}], [{}]], batch=2))")).toEqual({
        code: 0,
        out: "[1, 2, 1]\n",
      });
      expect(requests).toEqual([
        { key: "Bearer secret", size: 2 },
        { key: "Bearer secret", size: 1 },
      ]);
      const bad = await run("score([[{}], []])");
      expect(bad.code).toBe(1);
      expect(bad.out).toContain("ValueError: nothing there");
    } finally {
      server.close();
    }
  },
  60_000,
);
