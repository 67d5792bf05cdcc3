import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { KNOWN_ANSWER } from "../../src/cli/doctor-engine.ts";
import { runCli } from "../run-cli.ts";

test("the known answer is one of the golden values", () => {
  const golden: { messages: unknown; ids: number[]; last_hidden: number[] }[] = JSON.parse(
    readFileSync(join(import.meta.dirname, "../golden/tiny-hidden.json"), "utf8"),
  );
  const same = golden.find(({ ids }) => ids.join() === KNOWN_ANSWER.ids.join())!;
  expect(same.messages).toEqual(KNOWN_ANSWER.messages);
  expect(same.last_hidden.slice(0, KNOWN_ANSWER.lastHidden.length)).toEqual(KNOWN_ANSWER.lastHidden);
});

test("doctor computes the known answer, measures speed, and exits with 0 where nothing fails", async () => {
  const { code, stdout, stderr } = await runCli(["doctor", "--json"]);
  const { ok, checks } = JSON.parse(stdout);
  const names = ["node", "machine", "onnxruntime", "tokenizer", "backbone", "providers", "remote", "cache"];
  expect(checks.map(({ name }: { name: string }) => name)).toEqual(names);
  expect(checks.filter(({ status }: { status: string }) => status === "failed")).toEqual([]);
  expect(ok).toBe(true);
  const figures = Object.fromEntries(
    checks.map((check: { name: string; figures: unknown }) => [check.name, check.figures]),
  );
  expect(figures.onnxruntime).toMatchObject({ version: "1.30.0", right: true });
  expect(figures.backbone.error).toBeLessThan(1e-4);
  expect(figures.backbone.tokensPerSecond).toBeGreaterThan(100);
  expect(figures.providers.providers).toContain("cpu");
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
});

test("a check that fails names its remedy, and the exit code is 1", () => {
  const main = join(import.meta.dirname, "../../dist/cli/main.js");
  const env = {
    ...process.env,
    HF_HOME: join(import.meta.filename, "file"),
    HF_HUB_CACHE: "",
    NO_COLOR: "1",
  };
  const { status, stdout } = spawnSync(process.execPath, [main, "doctor"], { env, encoding: "utf8" });
  expect(stdout).toMatch(/^FAIL {2}cache .*doctor\.test\.ts: expected a folder, got a file\n +set HF_HOME/m);
  expect(stdout).toMatch(/1 of 8 checks failed/);
  expect(status).toBe(1);
});
