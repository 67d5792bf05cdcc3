import { describe, expect, test } from "vitest";
import { extractFinalAnswer, normalizeAnswer } from "../../src/data/final-answer.ts";

describe("where the answer stands", () => {
  const cases: [text: string, answer: string | null][] = [
    // GSM8K's samples and its reference solutions.
    ["She sells 9 eggs, so 2 * 9 = $<<2*9=18>>18 per day\nA: 18", "18"],
    ["He pays 1,000 + 200 = 1200.\n#### 1,200", "1200"],
    ["#### 7\nNo, that is wrong.\n#### 8\nDone.", "8"],
    ["A: 3\nWait.\nA: 4", "4"],
    ["Q: How many? A: 12", "12"],
    // LaTeX.
    ["so $x = \\boxed{5}$.", "5"],
    ["first \\boxed{1}, finally \\boxed{2}; A: 3", "2"],
    ["\\boxed{\\frac{1}{2}}", "\\frac{1}{2}"],
    ["the set is \\boxed{\\left\\{ 1, 2 \\right\\}}", "\\{1,2\\}"],
    ["\\boxed{(3,\\frac{\\pi}{2})}", "(3,\\frac{\\pi}{2})"],
    ["\\boxed{7} and then it was cut: \\boxed{\\frac{1", "7"],
    ["a stray } and { before \\boxed{6}, \\} after", "6"],
    ["\\boxed{outer \\boxed{inner}}", "inner"],
    ["\\boxed{} is left empty, so 9", "9"],
    // Sentences.
    ["Therefore, the answer is 42. I hope it is correct.", "42"],
    ["The answer is: $18.50.", "18.5"],
    ["The final answers are 3 and 4.", "3 and 4"],
    ["**Answer:** (B)", "B"],
    ["ANSWER: Paris\nbecause of 5 reasons", "Paris"],
    ["Answer:\n12 apples", "12"],
    ["Answer:\nA: 7", "7"],
    ["The answer is that she makes $18 every day.", "18"],
    ["The answer is 3 + 4 = 7.", "7"],
    ["The answer is not here.\nA: 6", "6"],
    // The last number.
    ["There were 3, then 4.", "4"],
    ["It weighs 3.50 kg!", "3.5"],
    ["It fell from 5 to -7", "-7"],
    ["16-7", "7"],
    ["It is 5 − 7 = −2", "-2"],
    ["A total of 1,234,567 people", "1234567"],
    ["between 3/4", "3/4"],
    // None.
    ["I do not know.", null],
    ["Data: none", null],
    ["", null],
  ];
  test.each(cases)("%j → %j", (text, answer) => expect(extractFinalAnswer(text)).toBe(answer));
});

describe("equal answers become equal strings", () => {
  const groups: [spelling: string, same: string[]][] = [
    [
      "18",
      [
        "18",
        " 18 ",
        "18.",
        "18.0",
        "18.00",
        "$18",
        "\\$18",
        "$18$",
        "+18",
        "018",
        "18 dollars",
        "18%",
        "18\\%",
      ],
    ],
    [
      "18",
      ["x = 18", "x=18", "\\text{18}", "18 \\text{ cm}", "18^\\circ", "18°", "**18**", "`18`", "\\(18\\)"],
    ],
    ["1200", ["1,200", "1200", "$1,200.00", "1,200 people"]],
    ["0.5", [".5", "0.5", "0.50", "00.5"]],
    ["0", ["0", "-0", "0.0", "-0.00"]],
    ["-3", ["-3", "−3", "-3.0", "- 3"]],
    ["\\frac{1}{2}", ["\\frac{1}{2}", "\\dfrac{1}{2}", "$\\tfrac{1}{2}$", "\\frac {1} {2}"]],
    ["x+1", ["x + 1", "x+1", "$x+1$."]],
    ["B", ["B", "(B)", "B."]],
    ["12345678901234567890.1", ["12345678901234567890.10", "12,345,678,901,234,567,890.1"]],
  ];
  test.each(groups)("%s", (spelling, same) => {
    expect(same.map(normalizeAnswer)).toEqual(same.map(() => spelling));
  });

  test("what is not known to be equal stays apart", () => {
    const different = [
      "1/2",
      "0.5",
      "1,2",
      "12",
      "1 1/2",
      "11/2",
      "New York",
      "new york",
      "2 and 3",
      "x=1,y=2",
    ];
    expect(new Set(different.map(normalizeAnswer)).size).toBe(different.length);
    expect(normalizeAnswer("1 1/2")).toBe("1 1/2");
  });

  test("nothing but marks is no answer", () => {
    expect(["", "  ", "$$", ".", "**", "\\text{}"].map(normalizeAnswer)).toEqual(Array(6).fill(null));
  });

  test("a megabyte of marks is read in one pass", () => {
    const all = ["\\boxed{", "Answer: ", "A: .", ".", "0.0", "1,", "{", "\\text{", "*", "$ ", "- "];
    for (const mark of all) {
      const marks = mark.repeat(1e6 / mark.length);
      expect(extractFinalAnswer(`${marks}\nA: 7`)).toBe("7");
      expect(normalizeAnswer(`${marks}x`)).toMatch(/x$/);
    }
  });

  test("a normalised answer stays as it is", () => {
    const answers = groups.map(([spelling]) => spelling);
    expect(answers.map(normalizeAnswer)).toEqual(answers);
  });
});
