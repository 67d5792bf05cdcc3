// A change to anything below is a decision: it belongs into the changelog.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createProgram, everyCommand } from "../src/cli/program.ts";

test("runtime dependencies", () => {
  const { dependencies } = JSON.parse(readFileSync(join(import.meta.dirname, "../package.json"), "utf8"));
  expect(dependencies).toMatchInlineSnapshot();
});

test("exports of the library", async () => {
  expect(Object.keys(await import("../src/index.ts")).sort()).toMatchInlineSnapshot();
});

test("options of the command line", () => {
  const flags = everyCommand(createProgram()).map((command) => {
    const names = command.options.map((option) => option.long).filter((name) => name !== "--debug");
    return `${command.name()}: ${names.join(" ")}`.trim();
  });
  expect(flags).toMatchInlineSnapshot();
});
