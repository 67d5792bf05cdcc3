import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import { parse } from "yaml";
import { createProgram, everyCommand } from "../src/cli/program.ts";

// Commands are read here, not run: nothing is to be downloaded before them.
vi.mock("../src/cli/downloads.ts", async (original) => ({
  ...(await original<object>()),
  withDownloads: <Command>(command: Command) => command,
}));

const folder = join(import.meta.dirname, "../configs");

interface Recipe {
  data: Record<string, string>;
  steps: { name: string; reference: string; command: string }[];
}

describe.each(readdirSync(folder))("%s", (file) => {
  const { data, steps } = parse(readFileSync(join(folder, file), "utf8")) as Recipe;

  test.each(steps)("the command line takes: $name", async ({ command }) => {
    const [name, ...words] = command.trim().split(/\s+/);
    expect(name).toBe("armorm");
    const program = createProgram();
    const ran: string[] = [];
    for (const each of everyCommand(program)) {
      if (each.commands.length > 0) continue;
      each.configureOutput({ writeErr: () => {} }).action(() => {
        ran.push(each.name());
      });
    }
    await program.parseAsync(words, { from: "user" });
    expect(ran).toHaveLength(1);
  });

  test("every file that is read is a data set of the list or the output of a step before", () => {
    const there = new Set(Object.keys(data));
    for (const { command } of steps) {
      const words = command.split(/\s+/);
      for (const [i, word] of words.entries()) {
        if (
          [
            "--data",
            "--ratings",
            "--pairs",
            "--reference",
            "--evaluation",
            "--embeddings",
            "--model",
          ].includes(word)
        )
          expect(there).toContain(words[i + 1]);
      }
      const out = words.indexOf("--out");
      if (out >= 0) there.add(words[out + 1]!);
    }
  });
});
