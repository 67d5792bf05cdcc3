import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import { parse } from "yaml";
import type { DataSource } from "../src/armo/training-configuration.ts";
import { createProgram, everyCommand } from "../src/cli/program.ts";

import { readConfiguration } from "../src/configuration/read-configuration.ts";

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

const RECIPE = "reproduce-armorm.yaml";

describe.each([RECIPE])("%s", (file) => {
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

describe("configurations of a training run", () => {
  const files = readdirSync(folder).filter((file) => file !== RECIPE);

  test.each(files)("%s is what armorm train --config takes", async (file) => {
    const { configuration } = await readConfiguration(join(folder, file));
    expect(configuration.out).toBeDefined();
    expect(configuration.backbone).toBeDefined();
  });

  test("the published model's says what its commands say", async () => {
    const { configuration } = await readConfiguration(join(folder, "armorm-llama3-8b.yaml"));
    const { data, steps } = parse(readFileSync(join(folder, RECIPE), "utf8")) as Recipe;
    const sources = (["ratings", "pairs", "reference", "evaluation"] as const).flatMap((role) =>
      (configuration[role] ?? []).map((source) =>
        typeof source === "string" ? source : (source as DataSource).data,
      ),
    );
    expect(sources).toEqual(Object.keys(data));
    const words = steps.flatMap(({ command }) => command.split(/\s+/));
    const wordAfter = (flag: string) => words[words.indexOf(flag) + 1];
    expect(configuration.backbone).toBe(wordAfter("--backbone"));
    expect(configuration.chat?.bos).toBe(wordAfter("--bos"));
    expect(String(configuration.embedding?.maxTokens)).toBe(wordAfter("--max-tokens"));
    expect(configuration.objectives).toHaveLength(19);
    expect(configuration.objectives?.join(",")).toBe(wordAfter("--objectives"));
    expect((configuration.ratings![0] as DataSource).objectives).toEqual(configuration.objectives);
    expect(configuration.debiasing?.targets).toEqual([wordAfter("--debias")]);
    expect(configuration.gating?.preset).toBe(wordAfter("--preset"));
    expect(configuration.split?.dropOverlaps).toBe(words.includes("--drop-overlaps"));
    expect(configuration.out).toBe(steps.at(-2)!.command.split(/\s+/).at(-1));
  });
});
