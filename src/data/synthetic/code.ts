import type { Random } from "../../random.ts";
import type { Family, Question } from "./family.ts";

interface Task {
  readonly does: string;
  readonly name: string;
  readonly parameters: string;
  /** Right and wrong expression per language. */
  readonly python: readonly [right: string, wrong: string];
  readonly javascript: readonly [right: string, wrong: string];
}

const TASKS: readonly Task[] = [
  {
    does: "reverses a string",
    name: "reverse",
    parameters: "text",
    python: ["text[::-1]", "text[1:]"],
    javascript: ['[...text].reverse().join("")', "text.slice(1)"],
  },
  {
    does: "finds the largest number in a list",
    name: "largest",
    parameters: "numbers",
    python: ["max(numbers)", "min(numbers)"],
    javascript: ["Math.max(...numbers)", "Math.min(...numbers)"],
  },
  {
    does: "adds up a list of numbers",
    name: "total",
    parameters: "numbers",
    python: ["sum(numbers)", "len(numbers)"],
    javascript: ["numbers.reduce((a, b) => a + b, 0)", "numbers.length"],
  },
  {
    does: "tells whether a number is even",
    name: "even",
    parameters: "n",
    python: ["n % 2 == 0", "n % 2 == 1"],
    javascript: ["n % 2 === 0", "n % 2 === 1"],
  },
  {
    does: "counts the words in a text",
    name: "count",
    parameters: "text",
    python: ["len(text.split())", "len(text)"],
    javascript: ['text.trim().split(" ").length', "text.length"],
  },
  {
    does: "turns a text into capital letters",
    name: "shout",
    parameters: "text",
    python: ["text.upper()", "text.lower()"],
    javascript: ["text.toUpperCase()", "text.toLowerCase()"],
  },
  {
    does: "removes duplicates from a list",
    name: "unique",
    parameters: "items",
    python: ["list(dict.fromkeys(items))", "sorted(items)"],
    javascript: ["[...new Set(items)]", "[...items].sort()"],
  },
  {
    does: "returns the last element of a list",
    name: "last",
    parameters: "items",
    python: ["items[-1]", "items[0]"],
    javascript: ["items.at(-1)", "items[0]"],
  },
  {
    does: "squares a number",
    name: "square",
    parameters: "n",
    python: ["n * n", "n * 2"],
    javascript: ["n * n", "n * 2"],
  },
  {
    does: "converts Celsius to Fahrenheit",
    name: "fahrenheit",
    parameters: "c",
    python: ["c * 9 / 5 + 32", "c * 5 / 9 + 32"],
    javascript: ["(c * 9) / 5 + 32", "(c * 5) / 9 + 32"],
  },
  {
    does: "checks whether a text contains a word",
    name: "contains",
    parameters: "text, word",
    python: ["word in text", "word == text"],
    javascript: ["text.includes(word)", "text === word"],
  },
  {
    does: "gives the distance between two numbers",
    name: "distance",
    parameters: "a, b",
    python: ["abs(a - b)", "a + b"],
    javascript: ["Math.abs(a - b)", "a + b"],
  },
];

const WISHES = [
  "Write a LANGUAGE function that DOES.",
  "I need a LANGUAGE function that DOES.",
  "How would you write a LANGUAGE function that DOES?",
  "Show me LANGUAGE code that DOES.",
  "Could you give me a LANGUAGE one-liner that DOES?",
  "In LANGUAGE, what does a function look like that DOES?",
];
const CONTEXTS = [
  "",
  " It is for a small script.",
  " I am new to programming.",
  " No libraries, please.",
  " It should be easy to read.",
];
const LEADS = ["This function DOES.", "Here is a function that DOES.", "The following code DOES."];

function ask(random: Random): Question {
  const task = random.pick(TASKS);
  const language = random.pick(["Python", "JavaScript"] as const);
  const fill = (template: string) => template.replace("LANGUAGE", language).replace("DOES", task.does);
  return {
    prompt: fill(random.pick(WISHES)) + random.pick(CONTEXTS),
    answer: ({ correctness }, draw) => {
      const [right, wrong] = language === "Python" ? task.python : task.javascript;
      const result = correctness === 1 ? right : wrong;
      const lines =
        language === "Python"
          ? [`def ${task.name}(${task.parameters}):`, `    return ${result}`]
          : [`function ${task.name}(${task.parameters}) {`, `  return ${result};`, "}"];
      return { sentences: [fill(draw.pick(LEADS))], code: { language: language.toLowerCase(), lines } };
    },
  };
}

export const code: Family = {
  name: "code",
  weights: {
    correctness: 0.55,
    relevance: 0.1,
    harmlessness: 0.05,
    politeness: 0,
    structure: 0.3,
    verbosity: 0,
  },
  ask,
  elaborations: [
    "The name says what it does, so no comment is needed.",
    "Call it with an example of your own to see how it behaves.",
    "It returns a new value and leaves its argument as it was.",
    "For unusual input you may want to add a check at the top.",
    "A short test beside it will keep it working when the program grows.",
    "There are other ways to write it, but this one is short and easy to follow.",
    "Put it in a file of its own if several scripts are going to use it.",
    "Try it in the interpreter first, where you can change it line by line.",
    "The built-in operations are fast enough for everyday sizes.",
    "Keeping functions small makes mistakes easier to find.",
  ],
};
