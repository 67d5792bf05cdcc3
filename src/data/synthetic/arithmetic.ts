import type { Random } from "../../random.ts";
import type { Family, Question } from "./family.ts";

const THINGS = [
  "apples",
  "marbles",
  "stamps",
  "books",
  "candles",
  "buttons",
  "postcards",
  "tickets",
  "pencils",
  "shells",
];
const PEOPLE = ["Mara", "Tom", "Aisha", "Jonas", "Priya", "Leo", "Nina", "Omar", "Ruth", "Kenji"];
const PREFACES = [
  "",
  "",
  "Quick sum: ",
  "Can you help me with this? ",
  "I am checking a bill. ",
  "Maths homework again. ",
];

const OPERATIONS: readonly {
  readonly word: string;
  readonly apply: (a: number, b: number) => number;
  readonly stories: readonly string[];
}[] = [
  {
    word: "plus",
    apply: (a, b) => a + b,
    stories: [
      "WHO has A THINGS and is given B more. How many THINGS does WHO have now?",
      "There are A THINGS on the table and B in the drawer. How many THINGS are there altogether?",
      "WHO sold A THINGS on Monday and B on Tuesday. How many THINGS were sold?",
    ],
  },
  {
    word: "minus",
    apply: (a, b) => a - b,
    stories: [
      "WHO had A THINGS and gave away B. How many THINGS are left?",
      "A box holds A THINGS. WHO takes out B of them. How many THINGS stay in the box?",
    ],
  },
  {
    word: "times",
    apply: (a, b) => a * b,
    stories: [
      "WHO packs A boxes with B THINGS in each. How many THINGS is that?",
      "A children bring B THINGS each. How many THINGS do they bring in total?",
    ],
  },
];

const ANSWERS = [
  "The answer here is N.",
  "The result of this is N.",
  "All in all, that makes N.",
  "Altogether it comes to N.",
  "If you work it out, you get N.",
];

function ask(random: Random): Question {
  const { word, apply, stories } = random.pick(OPERATIONS);
  const large = word === "times" ? 12 : 90;
  const first = random.integer(3, large);
  const second = random.integer(2, large);
  const [a, b] = word === "minus" && first < second ? [second, first] : [first, second];
  const plain = random.pick([
    `What is ${a} ${word} ${b}?`,
    `Work out ${a} ${word} ${b}.`,
    `How much is ${a} ${word} ${b}?`,
  ]);
  const story = random
    .pick(stories)
    .replace("A", () => String(a))
    .replace("B", () => String(b))
    .replaceAll("THINGS", random.pick(THINGS))
    .replaceAll("WHO", random.pick(PEOPLE));
  const result = apply(a, b);
  return {
    prompt: random.pick(PREFACES) + (random.chance(0.4) ? plain : story),
    answer: ({ correctness }, draw) => {
      const shift = draw.pick([1, 2, 3, 10]) * (result > 12 && draw.chance(0.5) ? -1 : 1);
      const number = correctness === 1 ? result : result + shift;
      return { sentences: [draw.pick(ANSWERS).replace("N", String(number))] };
    },
  };
}

export const arithmetic: Family = {
  name: "arithmetic",
  weights: {
    correctness: 0.75,
    relevance: 0.15,
    harmlessness: 0.05,
    politeness: 0,
    structure: 0.05,
    verbosity: 0,
  },
  ask,
  elaborations: [
    "Write the two numbers below each other, so that the columns line up.",
    "Begin with the ones and carry over whatever does not fit.",
    "A quick way is to round one of the numbers and to correct for it at the end.",
    "You can check the sum by doing it backwards from the result.",
    "Some people like to draw a number line for a problem of this kind.",
    "Splitting a number into tens and ones makes the work lighter.",
    "Reading the question twice helps to choose the right operation.",
    "With a little practice such sums can be done without paper.",
    "A rough estimate beforehand tells you whether the result is plausible.",
    "The same method works with larger numbers, only with more columns.",
  ],
};
