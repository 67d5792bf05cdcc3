import { expect, test } from "vitest";
import { charactersOf, sentencesOf } from "../../src/chat/segments.ts";
import { createRandom } from "../../src/random.ts";

// What segmenters look at: ends, their closing marks, what undoes an end further on, letters, digits, joined and half characters.
const PARTS = [
  ...'a|B|c. |.|! |\n|\r\n|\r|1|2.5| |(|)|"|U.S. |e.g. |…|。|日本|é|,|; |-|?!|»|...|:|x.|Y.|ไทย|𝒜|𝓪|𑀅|𑁇 |ｶ|ﾞ|ﾟ'.split(
    "|",
  ),
  ..."e\u0301|\u00a0|\u2028|\u0308|\u200d|👨|🏻|👩\u200d🔬|🇦|🇧|\u0915|\u094d|\u1112|\u1161|\ud83d".split("|"),
];

test.each([
  ["sentence", sentencesOf],
  ["grapheme", charactersOf],
] as const)("a long text has the segments that Intl.Segmenter finds in it: %s", (granularity, segmentsOf) => {
  const segmenter = new Intl.Segmenter("en", { granularity });
  const random = createRandom(3);
  for (let trial = 0; trial < 40; trial++) {
    const some = Array.from(
      { length: 1 + 39 * random.uniform() },
      () => PARTS[Math.floor(random.uniform() * PARTS.length)]!,
    );
    const text = Array.from({ length: 3000 }, () => some[Math.floor(random.uniform() * some.length)]!).join(
      "",
    );
    expect([...segmentsOf(text)]).toEqual(Array.from(segmenter.segment(text), ({ segment }) => segment));
  }
});

const UNDECIDED = `Bb. ${"1 ".repeat(1021)}1ﾞ 1 b. C`; // the mark is the last of a window, and what decides comes after it

test.each(["𑀅𑁇 ".repeat(3000), "1𑁇".repeat(3000), UNDECIDED])("sentences of text %#, too", (text) => {
  const segments = new Intl.Segmenter("en", { granularity: "sentence" }).segment(text);
  expect([...sentencesOf(text)]).toEqual(Array.from(segments, ({ segment }) => segment));
});

test("nothing has no segments, and what has no end is one", () => {
  expect([...sentencesOf("")]).toEqual([]);
  const endless = "1 ".repeat(5000);
  expect([...sentencesOf(endless)]).toEqual([endless]);
});
