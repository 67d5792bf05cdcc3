import { afterEach, describe, expect, test, vi } from "vitest";
import {
  addAnswer,
  addTurn,
  draftOf,
  EMPTY_DRAFT,
  MOST_ANSWERS,
  promptOf,
  removeAnswer,
  whatIsMissing,
} from "../../web/draft.ts";
import { whatIsWrongWith } from "../../web/key.ts";
import { parseBlocks, parseSpans, sectionOf } from "../../web/markdown.ts";
import { fetchModel, ServerFailure } from "../../web/model-server.ts";
import { readRows } from "../../web/read-rows.ts";
import { type Outcome, runRows, startRows } from "../../web/row-run.ts";
import {
  evenMixture,
  factorOf,
  fixMixture,
  placesGained,
  setFactor,
  steeringOf,
  UNSTEERED,
  weightOf,
} from "../../web/steering-choice.ts";
import { shownText, spokenText } from "../../web/step-name.ts";

const ROW = '{"id": "a", "prompt": "Name a prime.", "responses": ["Seven.", "Eight."]}';

describe("a file of rows", () => {
  test("every line comes out in order, bad ones with their line and reason", () => {
    const rows = readRows(`\uFEFF${ROW}\r\n\nnot json\n{"prompt": "p", "responses": []}\n`);
    expect(rows.map(({ place }) => place)).toEqual(["line 1", "line 3", "line 4"]);
    expect(rows[0]).toEqual({
      place: "line 1",
      id: "a",
      prompt: [{ role: "user", content: "Name a prime." }],
      responses: ["Seven.", "Eight."],
    });
    expect(rows[1]).toMatchObject({ error: expect.stringMatching(/^not JSON/) });
    expect(rows[2]).toMatchObject({
      error: expect.stringMatching(/responses: expected at least one, got 0/),
    });
  });

  test("a row with a single answer can be used: it has a score", () => {
    expect(readRows('{"prompt": "p", "responses": ["one"]}')[0]).toMatchObject({ responses: ["one"] });
  });

  test("a JSON array and a document over several lines are read too", () => {
    expect(readRows(`[${ROW}, 5]`).map(({ place }) => place)).toEqual(["row 1", "row 2"]);
    const spread = JSON.stringify(JSON.parse(ROW), null, 2);
    expect(readRows(spread)).toHaveLength(1);
    expect(readRows(spread)[0]).toMatchObject({ id: "a" });
  });

  test("a text may hold U+2028; an empty file holds nothing", () => {
    expect(readRows(ROW.replace("Seven.", "Sev\u2028en."))[0]).toMatchObject({
      responses: ["Sev\u2028en.", "Eight."],
    });
    expect(readRows(" \n\n")).toEqual([]);
  });
});

describe("a run over rows", () => {
  const rows = startRows(readRows(`${ROW}\nbroken\n${ROW}\n${ROW}`));
  const failure = (status: number | null) => new ServerFailure("no", "do so", status);

  test("a refused row fails alone; bad rows are never sent", async () => {
    const outcomes: [number, Outcome["state"]][] = [];
    const compare = vi
      .fn()
      .mockRejectedValueOnce(failure(422))
      .mockResolvedValue({ ranking: [0, 1] });
    await runRows(rows, compare, (i, { state }) => outcomes.push([i, state]), new AbortController().signal);
    expect(outcomes).toEqual([
      [0, "failed"],
      [2, "done"],
      [3, "done"],
    ]);
    expect(compare).toHaveBeenCalledTimes(3);
  });

  test.each([null, 401, 429, 503])(
    "a server that answers %s stops the run, and rows go on waiting",
    async (status) => {
      const compare = vi.fn().mockRejectedValue(failure(status));
      const onOutcome = vi.fn();
      await expect(runRows(rows, compare, onOutcome, new AbortController().signal)).rejects.toThrow("no");
      expect(onOutcome).not.toHaveBeenCalled();
    },
  );

  test("what was cancelled while it computed is not taken", async () => {
    const controller = new AbortController();
    const compare = vi.fn().mockImplementation(async () => controller.abort());
    const onOutcome = vi.fn();
    await runRows(rows, compare, onOutcome, controller.signal);
    expect(compare).toHaveBeenCalledTimes(1);
    expect(onOutcome).not.toHaveBeenCalled();
  });
});

describe("a draft", () => {
  test("turns alternate, answers stay between two and the most", () => {
    expect(addTurn(EMPTY_DRAFT).turns.map(({ role }) => role)).toEqual(["user", "assistant"]);
    expect(removeAnswer(EMPTY_DRAFT, 0)).toBe(EMPTY_DRAFT);
    let draft = EMPTY_DRAFT;
    for (let i = 0; i < 40; i++) draft = addAnswer(draft);
    expect(draft.answers).toHaveLength(MOST_ANSWERS);
  });

  test("says what is missing before anything is sent", () => {
    expect(whatIsMissing(EMPTY_DRAFT)).toMatch(/no question/);
    const asked = draftOf([{ role: "user", content: "Hi" }], ["", ""]);
    expect(whatIsMissing(asked)).toMatch(/no answers/);
    expect(whatIsMissing({ ...asked, answers: ["a", ""] })).toBeNull();
    const ended = { ...asked, turns: [...asked.turns, { role: "assistant", content: "Hello" }] };
    expect(whatIsMissing(ended)).toMatch(/ends with the assistant/);
  });

  test("a prompt that came from a file goes out as it came in", () => {
    const prompt = [
      { role: "system", content: "" },
      { role: "user", content: "Hi" },
    ];
    expect(promptOf(draftOf(prompt, ["a", "b"]))).toEqual(prompt);
  });
});

describe("the sliders", () => {
  test("ask for nothing until one is moved, and for nothing again when it is back", () => {
    expect(steeringOf(UNSTEERED)).toBeNull();
    const moved = setFactor(UNSTEERED, "kind", 2);
    expect(steeringOf(moved)).toEqual({ scale: { kind: 2 } });
    expect(steeringOf(setFactor(moved, "kind", 1))).toBeNull();
  });

  test("a fixed mixture begins at the gate's weights and keeps their sum when all are alike", () => {
    const gate = { kind: 0.7512, true: 0.2488 };
    expect(steeringOf(fixMixture(UNSTEERED, gate))).toEqual({ weights: { kind: 0.75, true: 0.25 } });
    expect(steeringOf(evenMixture(UNSTEERED, gate))).toEqual({ weights: { kind: 0.5, true: 0.5 } });
  });

  test("objectives may have the names of what every object has", () => {
    for (const name of ["constructor", "toString", "__proto__"]) {
      expect([factorOf(UNSTEERED, name), weightOf(UNSTEERED, name)]).toEqual([1, 0]);
      expect(factorOf(setFactor(UNSTEERED, name, 2), name)).toBe(2);
    }
  });

  test("places gained are counted from one ranking to the other", () => {
    expect([...placesGained([0, 1, 2], [2, 0, 1])]).toEqual([
      [2, 2],
      [0, -1],
      [1, -1],
    ]);
  });
});

describe("a card's markdown", () => {
  test("front matter, headings, lists, tables and code are blocks; HTML stays text", () => {
    const blocks = parseBlocks(
      "---\na: b\n---\n# T\n\ntext\n<b>bold</b>\n\n- one\n  more\n- two\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n```\nx\n```\n",
    );
    expect(blocks).toEqual([
      { kind: "code", text: "a: b" },
      { kind: "heading", level: 1, text: "T" },
      { kind: "paragraph", text: "text <b>bold</b>" },
      { kind: "list", ordered: false, items: ["one more", "two"] },
      { kind: "table", head: ["a", "b"], rows: [["1", "2"]] },
      { kind: "code", text: "x" },
    ]);
  });

  test("a heading may hold U+2028, and every text comes to an end", () => {
    expect(parseBlocks("# a\u2028b\n\ntext")).toEqual([
      { kind: "heading", level: 1, text: "a\u2028b" },
      { kind: "paragraph", text: "text" },
    ]);
  });

  test("links lead to the web alone", () => {
    expect(parseSpans("[a](javascript:alert(1))")).toEqual([
      { kind: "text", text: "[a](javascript:alert(1))" },
    ]);
    expect(parseSpans("see [a](https://example.org) `x`")).toEqual([
      { kind: "text", text: "see " },
      { kind: "link", text: "a", href: "https://example.org" },
      { kind: "text", text: " " },
      { kind: "code", text: "x" },
    ]);
  });

  test("a section ends at the next heading as high", () => {
    const blocks = parseBlocks("# M\n\n## Limits\n\nsmall\n\n### More\n\nyes\n\n## Data\n\nno");
    expect(sectionOf(blocks, /limits/i).map((block) => "text" in block && block.text)).toEqual([
      "small",
      "More",
      "yes",
    ]);
  });
});

describe("steps of an answer", () => {
  test("the last one alone is the end of the turn; white space and parts of characters have names", () => {
    const texts = ["Hi", " ", "\n\n", "", "é", ""];
    const names = (name: typeof shownText) => texts.map((text, i) => name(text, i === texts.length - 1));
    expect(names(shownText)).toEqual(["Hi", " ", "↵\n\n", "·", "é", "end"]);
    expect(names(spokenText)).toEqual([
      "Hi",
      "space",
      "line break",
      "part of a character",
      "é",
      "end of the turn",
    ]);
  });
});

describe("a key", () => {
  test("is refused before it is sent where no header can carry it", () => {
    expect(whatIsWrongWith("sk-1~!")).toBeNull();
    expect(whatIsWrongWith("“secret”")).toMatch(/holds “ \(U\+201C\)/);
    expect(whatIsWrongWith("se cret")).toMatch(/a space \(U\+0020\)/);
    expect(whatIsWrongWith("")).toMatch(/no key/);
  });
});

describe("the server", () => {
  afterEach(() => vi.unstubAllGlobals());
  const answer = (text: () => Promise<string>, status = 200) =>
    vi.stubGlobal("fetch", async () => ({ ok: status < 400, status, text }));

  test("that breaks off in the middle of an answer does not answer", async () => {
    answer(() => Promise.reject(new TypeError("network error")));
    await expect(fetchModel({ key: null })).rejects.toMatchObject({ name: "ServerFailure", status: null });
  });

  test("is left alone by the caller's own abort", async () => {
    const reason = new Error("mine");
    answer(() => Promise.reject(reason));
    await expect(fetchModel({ key: null, signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });

  test("wants a key, or another one", async () => {
    answer(async () => "{}", 401);
    await expect(fetchModel({ key: null })).rejects.toThrow("This server asks for an API key");
    await expect(fetchModel({ key: "k" })).rejects.toThrow("The server does not take this key");
  });
});
