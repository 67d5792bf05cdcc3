import { cpSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openBackbone } from "../../src/backbone/backbone.ts";
import { openChat } from "../../src/chat/chat.ts";
import type { Message } from "../../src/chat/messages.ts";
import { openModelDirectory } from "../../src/opening/open-model-directory.ts";
import { openRewardModel } from "../../src/opening/open-reward-model.ts";
import type { Trace, TraceUnit } from "../../src/reward-model.ts";
import { planTrace } from "../../src/scoring/trace.ts";
import { writeLlama3Files } from "../chat/llama3-files.ts";
import { writeSmallModel } from "../cli/small-model.ts";
import { writeFsfairxCheckpoint } from "../siblings/fsfairx-checkpoint.ts";

// The child runs the sources too, with the loader that this process hands on.
process.execArgv.push("--import", "tsx");

const folder = mkdtempSync(join(tmpdir(), "armorm-trace-"));
const at = (name: string) => join(folder, name);
const prompt: Message[] = [{ role: "user", content: "Name a prime, and say why." }];
const responses = [
  "Seven. It has two divisors: 1 and 7! That is all.",
  " \n Seven 👍👩‍🔬. Naïve? 日本語です。\n\n```\n7 % 2\n```\n<|eot_id|> is text. \n",
  "Eight",
  "",
  "  \n",
];
const conversations = responses.map((content): Message[] => [...prompt, { role: "assistant", content }]);
const textOf = ({ steps }: Trace) => steps.map(({ text }) => text).join("");

beforeAll(async () => {
  await writeSmallModel(at("gated"));
  writeFsfairxCheckpoint(at("bradley-terry"));
  // The golden checkpoint, whose scores golden-model.test.ts proves, with a tokenizer.
  mkdirSync(at("golden"));
  for (const file of ["config.json", "model.safetensors"]) {
    cpSync(join(import.meta.dirname, "../golden/armorm/armorm-f32", file), join(at("golden"), file));
  }
  writeLlama3Files(at("golden"), { vocabSize: 320, bosInTemplate: true });
});
afterAll(() => rmSync(folder, { recursive: true }));

describe.each([
  ["gated", "tiny"],
  ["golden", at("golden")],
  ["bradley-terry", at("bradley-terry")],
])("a trace of a %s model", (name, backboneLocation) => {
  test.each(["token", "sentence"] as const)(
    "by %s leaves the score as it is and ends with it, to the last bit",
    async (unit) => {
      await using model = await openRewardModel(at(name), { threads: 1 });
      const plain = await model.score(conversations);
      const traced = await model.score(conversations, { trace: unit });
      for (const [i, { trace, ...score }] of traced.entries()) {
        expect(score).toStrictEqual(plain[i]);
        expect(trace!.unit).toBe(unit);
        expect(trace!.steps.at(-1)).toStrictEqual({ text: "", score: score.score, rewards: score.rewards });
        expect(textOf(trace!)).toBe(responses[i]);
        for (const { text } of trace!.steps) expect(text).not.toMatch(/\p{Surrogate}/u);
      }
      const compared = await model.compare(prompt, responses, { trace: unit });
      expect(compared.responses).toStrictEqual(traced);
      const [alone] = await model.score([conversations[1]!], { trace: unit });
      expect(alone).toStrictEqual({ ...traced[1], index: 0 });
    },
  );

  test("says at every step what the same tokens give when they are cut there, to the last bit", async () => {
    await using model = await openRewardModel(at(name), { threads: 1 });
    await using backbone = await openBackbone(backboneLocation, { threads: 1 });
    const { scorer } = await openModelDirectory(at(name));
    const chat = await openChat(name === "gated" ? "models/tiny" : at(name));
    const H = backbone.hiddenSize;
    const scored = await model.score(conversations, { trace: "token" });
    for (const [i, messages] of conversations.entries()) {
      const { ids, gatingPosition, promptLength } = chat.encode(messages);
      const { start, steps } = scored[i]!.trace!;
      const standAt = async (length: number) => {
        const [rows] = await backbone.hiddenStates([
          { ids: ids.slice(0, length), positions: [gatingPosition, length - 1] },
        ]);
        const { score, rewards } = scorer.forPrompt(rows!.subarray(0, H))(rows!.subarray(-H));
        return { score, rewards: scorer.objectives.map((objective, k) => [objective.name, rewards[k]]) };
      };
      const seen = ({ score, rewards }: (typeof steps)[number] | typeof start) => ({
        score,
        rewards: Object.entries(rewards),
      });
      expect(seen(start)).toEqual(await standAt(promptLength));
      const ends = chat.responseEnds(messages);
      expect(steps).toHaveLength((ends.length || (responses[i] === "" ? 0 : 1)) + 1);
      for (const t of ends.keys()) expect(seen(steps[t]!)).toEqual(await standAt(promptLength + t + 1));
    }
  });

  test("by sentence holds steps of the trace by token", async () => {
    await using model = await openRewardModel(at(name), { threads: 1 });
    const byToken = await model.score(conversations, { trace: "token" });
    const bySentence = await model.score(conversations, { trace: "sentence" });
    for (const [i, { trace }] of bySentence.entries()) {
      const tokens = byToken[i]!.trace!;
      expect(trace!.start).toEqual(tokens.start);
      let read = "";
      for (const { text, score } of trace!.steps) {
        read += text;
        const same = tokens.steps.filter(
          (_, t) => textOf({ ...tokens, steps: tokens.steps.slice(0, t + 1) }) === read,
        );
        expect(same.map((step) => step.score)).toContain(score);
      }
    }
    expect(bySentence[0]!.trace!.steps.map(({ text }) => text.trim())).toEqual([
      "Seven.",
      "It has two divisors: 1 and 7!",
      "That is all.",
      "",
    ]);
  });

  test("is the same from a process of its own", async () => {
    await using here = await openRewardModel(at(name), { threads: 1 });
    await using isolated = await openRewardModel(at(name), { threads: 1, isolate: true });
    const options = { trace: "token" } as const;
    expect(await isolated.score(conversations, options)).toStrictEqual(
      await here.score(conversations, options),
    );
    expect(await isolated.compare(prompt, responses, options)).toStrictEqual(
      await here.compare(prompt, responses, options),
    );
    await expect(isolated.scoreTokens([[1, 2]], options)).rejects.toThrow(
      /^score: expected no trace of token ids/,
    );
  });
});

describe("a plan", () => {
  const plan = (unit: TraceUnit, response: string, ends: readonly number[]) =>
    planTrace(unit, response, { promptLength: 10 }, ends);

  test("reads a sentence at the token that completes it, and takes along what that token holds", () => {
    // "Hi" "." " All" "." "\n\n"
    expect(plan("sentence", "Hi. All.\n\n", [2, 3, 7, 8, 10])).toEqual({
      unit: "sentence",
      positions: [9, 11, 14],
      texts: ["Hi.", " All.\n\n"],
    });
    // "Hi" ".\n" "All" "."
    expect(plan("sentence", "Hi.\nAll.", [2, 4, 7, 8]).texts).toEqual(["Hi.\n", "All."]);
  });

  test("makes one step of sentences that end in one token", () => {
    expect(plan("sentence", "One. Two. Six.", [4, 14])).toMatchObject({
      positions: [9, 10, 11],
      texts: ["One.", " Two. Six."],
    });
  });

  test("keeps tokens that end inside a character, and adds no text there", () => {
    expect(plan("token", "a👍b", [1, 1, 3, 4])).toMatchObject({
      positions: [9, 10, 11, 12, 13],
      texts: ["a", "", "👍", "b"],
    });
  });

  test("changes nothing for what the template leaves out altogether", () => {
    expect(plan("token", " \n", [])).toMatchObject({ positions: [9, 9], texts: [" \n"] });
    expect(plan("token", "", [])).toMatchObject({ positions: [9], texts: [] });
  });

  test("needs a prompt", () => {
    expect(() => planTrace("token", "x", { promptLength: 0 }, [1])).toThrow(
      /^trace: expected tokens of the prompt/,
    );
  });
});
