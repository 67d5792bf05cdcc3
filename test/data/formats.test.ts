import { describe, expect, test } from "vitest";
import { FORMAT_NAMES } from "../../src/cli/data-options.ts";
import { readConversations } from "../../src/data/conversations.ts";
import { describeData } from "../../src/data/describe-data.ts";
import { FORMATS } from "../../src/data/formats/formats.ts";
import { readPairs } from "../../src/data/pairs.ts";
import { promptHash } from "../../src/data/prompt-hash.ts";
import { readRowsWithPrompt } from "../../src/data/prompt-of-row.ts";
import { readRatings } from "../../src/data/ratings.ts";
import { collect, onlyError, rowsFile } from "./data-file.ts";

const user = (content: string) => ({ role: "user", content });
const assistant = (content: string) => ({ role: "assistant", content });

const FIVE = { helpfulness: 3, correctness: 4, coherence: 4, complexity: 2, verbosity: 1 };
const helpsteer = { prompt: "c#", response: "A language.", ...FIVE };
const multiTurn = {
  ...helpsteer,
  prompt: "first\n<extra_id_1>Assistant\nanswer\nof two lines\n<extra_id_1>User\nsecond",
};
const turns = [user("first"), assistant("answer\nof two lines"), user("second")];

const completion = (response: string, overall_score: number | null, helpfulness: string) => ({
  model: "m",
  principle: "honesty",
  custom_system_prompt: "…",
  response,
  overall_score,
  "fine-grained_score": 4,
  annotations: {
    instruction_following: { Rating: "5", Rationale: "…" },
    honesty: { Rating: "N/A", Rationale: "…" },
    truthfulness: { Rating: "4", Rationale: "…", Type: ["1"] },
    helpfulness: { Rating: helpfulness, Rationale: "…" },
  },
});
const ultrafeedback = {
  source: "evol_instruct",
  instruction: "Sort.",
  models: ["a", "b"],
  completions: [
    completion("like this", 7.5, "3"),
    completion("", 1, "1"),
    completion("or that", null, "N/A"),
  ],
  correct_answers: ["None"],
};
const multiObjective = {
  messages: [user("Hi"), assistant("Hello!")],
  "helpsteer-helpfulness": 0.7,
  "beavertails-is_safe": null,
  "code-style": 0.25,
  dataset: "helpsteer",
};
const hh = {
  chosen: "\n\nHuman: Hi there\n\nAssistant: Hello.\n\nHuman: Two:\n\nlines\n\nAssistant: Good: yes",
  rejected: "\n\nHuman: Hi there\n\nAssistant: Hello.\n\nHuman: Two:\n\nlines\n\nAssistant: Bad",
};

/** What was read, and the formats that were said aloud. */
async function ratingsOf(rows: unknown[], options: Parameters<typeof readRatings>[1] = {}) {
  const said: string[] = [];
  const onFormat = (_: unknown, { name }: { name: string }) => said.push(name);
  const records = await collect(readRatings([rowsFile(...rows)], { ...options, onFormat }));
  return { said, records };
}
const ratedIn = (record: unknown) => (record as { ratings: object }).ratings;

describe("ratings", () => {
  test("HelpSteer: five columns, and the turns of HelpSteer2's prompts", async () => {
    const { said, records } = await ratingsOf([helpsteer, multiTurn]);
    expect(said).toEqual(["helpsteer"]);
    expect(records).toMatchObject([
      { messages: [user("c#"), assistant("A language.")], ratings: FIVE },
      { messages: [...turns, assistant("A language.")], ratings: FIVE, promptHash: promptHash(turns) },
    ]);
    const named = await ratingsOf([multiTurn], { objectives: ["verbosity"] });
    expect(named.records).toMatchObject([{ messages: [...turns, assistant("A language.")] }]);
    expect(ratedIn(named.records[0])).toEqual({ verbosity: 1 });
  });

  test("UltraFeedback: one rated conversation per completion, each with its own errors", async () => {
    const { said, records } = await ratingsOf([ultrafeedback]);
    expect(said).toEqual(["ultrafeedback"]);
    expect(records).toMatchObject([
      { kind: "rating", messages: [user("Sort."), assistant("like this")] },
      { kind: "error", line: 1, error: expect.stringMatching(/empty response/) },
      { kind: "rating", messages: [user("Sort."), assistant("or that")] },
    ]);
    expect(ratedIn(records[0])).toEqual({
      overall_score: 7.5,
      instruction_following: 5,
      truthfulness: 4,
      helpfulness: 3,
    });
    expect(ratedIn(records[2])).toEqual({ instruction_following: 5, truthfulness: 4 });
  });

  test("ArmoRM multi-objective: a column per objective, null where its source did not rate", async () => {
    const { said, records } = await ratingsOf([
      multiObjective,
      { ...multiObjective, "beavertails-is_safe": 1, "code-style": null },
    ]);
    expect(said).toEqual(["objective-columns"]);
    expect(records.map(ratedIn)).toEqual([
      { "helpsteer-helpfulness": 0.7, "code-style": 0.25 },
      { "helpsteer-helpfulness": 0.7, "beavertails-is_safe": 1 },
    ]);
  });

  test("a column of the pattern that holds true or false is refused by name, one of text is no rating", async () => {
    const row = { ...multiObjective, "beavertails-is_safe": true };
    const error = await onlyError(readRatings([rowsFile({ ...multiObjective, "made-by": "x" }, row)]));
    expect(error).toMatch(/^rating "beavertails-is_safe": expected a number or null, got true/);
  });

  test("armorm's own are read without a word, whatever columns stand beside them", async () => {
    const { said, records } = await ratingsOf([
      { ...multiObjective, ratings: { good: 1 } },
      { ...helpsteer, ratings: { good: 2 } },
    ]);
    expect(said).toEqual([]);
    expect(records.map(ratedIn)).toEqual([{ good: 1 }, { good: 2 }]);
  });

  test("a row of another format is a row error that says what it lacks", async () => {
    const { records } = await ratingsOf([
      helpsteer,
      { prompt: "x", response: "y", ratings: { a: 1 } },
      ultrafeedback,
    ]);
    expect(records.map((record) => (record.kind === "error" ? record.error : "fits"))).toEqual([
      "fits",
      expect.stringMatching(/^helpfulness: expected a rating, got nothing/),
      expect.stringMatching(/^helpfulness: expected a rating, got nothing/),
    ]);
  });

  test("a format that is asked for is not guessed, and must be of the kind that is read", async () => {
    const location = {
      ...rowsFile({ messages: [user("a"), assistant("b")], ratings: { x: 1 } }),
      format: "helpsteer",
    };
    await expect(collect(readRatings([location]))).rejects.toMatchObject({
      code: "no-usable-rows",
      message: expect.stringMatching(/helpfulness/),
    });
    await expect(collect(readPairs([location]))).rejects.toMatchObject({
      code: "wrong-format",
      message: expect.stringMatching(/got helpsteer, one of ratings/),
    });
    await expect(collect(readRatings([{ ...location, format: "csv" }]))).rejects.toMatchObject({
      code: "unknown-format",
    });
  });

  test("conversations to score are found in them too", async () => {
    const records = await collect(readConversations(rowsFile(multiTurn, multiObjective).path));
    expect(records).toMatchObject([
      { messages: [...turns, assistant("A language.")] },
      { messages: multiObjective.messages },
    ]);
  });
});

describe("pairs", () => {
  const pairsOf = async (...rows: unknown[]) => {
    const said: string[] = [];
    const onFormat = (_: unknown, { name }: { name: string }) => said.push(name);
    return { said, records: await collect(readPairs([rowsFile(...rows)], { onFormat })) };
  };

  test("transcripts: the last turn of the assistant is the response", async () => {
    const { said, records } = await pairsOf(hh);
    expect(said).toEqual(["transcripts"]);
    expect(records).toMatchObject([
      {
        prompt: [user("Hi there"), assistant("Hello."), user("Two:\n\nlines")],
        chosen: "Good: yes",
        rejected: "Bad",
      },
    ]);
  });

  test("transcripts that part before the last turn, or end with a person, are row errors", async () => {
    const error = (row: object) => onlyError(readPairs([rowsFile(hh, row)]));
    expect(await error({ ...hh, rejected: hh.rejected.replace("Hi there", "Hey") })).toMatch(
      /expected the same prompt, got two/,
    );
    expect(await error({ ...hh, chosen: `${hh.chosen}\n\nHuman: and?` })).toMatch(
      /expected to end with the assistant/,
    );
    expect(await error({ ...hh, chosen: "just text" })).toMatch(/a transcript that begins with "Human:"/);
    expect(await error({ ...hh, rejected: hh.rejected.replace("Bad", "") })).toMatch(/empty response/);
  });

  const same: [name: string, format: string[], row: object][] = [
    [
      "RLHFlow and TRL with an implicit prompt",
      ["conversations"],
      { chosen: [user("Hi"), assistant("a")], rejected: [user("Hi"), assistant("b")] },
    ],
    [
      "TRL with an explicit prompt",
      ["last-messages"],
      { prompt: [user("Hi")], chosen: [assistant("a")], rejected: [assistant("b")] },
    ],
    [
      "RewardBench",
      ["reward-bench"],
      {
        prompt: "Hi",
        chosen: "a",
        chosen_model: "m",
        rejected: "b",
        rejected_model: "n",
        subset: "s",
        id: 7,
      },
    ],
    ["armorm's own", [], { prompt: "Hi", chosen: "a", rejected: "b" }],
  ];
  test.each(same)("%s", async (_, format, row) => {
    const { said, records } = await pairsOf(row);
    expect(said).toEqual(format);
    expect(records).toMatchObject([{ prompt: [user("Hi")], chosen: "a", rejected: "b" }]);
  });
});

test("prompts are found whatever the format, for splitting and overlaps", async () => {
  const hashes = async (row: unknown) =>
    (await collect(readRowsWithPrompt(rowsFile(row)))).map((found) =>
      "promptHash" in found ? found.promptHash : found,
    );
  expect(await hashes(multiTurn)).toEqual([promptHash(turns)]);
  expect(await hashes(ultrafeedback)).toEqual([promptHash("Sort.")]);
  expect(await hashes(hh)).toEqual([
    promptHash([user("Hi there"), assistant("Hello."), user("Two:\n\nlines")]),
  ]);
});

test("descriptions name the format, count completions, and repeated ids", async () => {
  const about = await describeData(rowsFile({ ...ultrafeedback, id: 1 }, { ...ultrafeedback, id: 1 }));
  expect(about).toMatchObject({
    kind: "ratings",
    format: "ultrafeedback",
    rows: 4,
    prompts: 1,
    rejected: { count: 2 },
  });
  expect(about.duplicates).toEqual({ rows: 1, ids: 1, contents: 2, contradictions: null });
  expect(about.objectives.map(({ name, rated }) => [name, rated])).toContainEqual(["overall_score", 2]);
  expect((await describeData(rowsFile(multiObjective))).objectives.map(({ name }) => name)).toEqual([
    "helpsteer-helpfulness",
    "code-style",
  ]);
});

test("descriptions count turns that do not alternate, which are usable all the same", async () => {
  const prompt = [user("a"), user("b")];
  const about = await describeData(
    rowsFile({ prompt: "p", chosen: "x", rejected: "y" }, { prompt, chosen: "x", rejected: "y" }),
  );
  expect(about).toMatchObject({
    rows: 2,
    rejected: { count: 0 },
    notAlternating: { count: 1, first: expect.stringMatching(/line 2: turns: .* two of the user in a row/) },
  });
});

test("the command line offers every format", () => {
  expect([...FORMAT_NAMES].sort()).toEqual(FORMATS.map(({ name }) => name).sort());
});
