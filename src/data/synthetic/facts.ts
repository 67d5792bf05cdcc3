import type { Random } from "../../random.ts";
import type { Family, Question } from "./family.ts";

/** Country, its capital, and a city often taken for it. */
const CAPITALS = [
  ["France", "Paris", "Lyon"],
  ["Australia", "Canberra", "Sydney"],
  ["Canada", "Ottawa", "Toronto"],
  ["Japan", "Tokyo", "Osaka"],
  ["Brazil", "Brasilia", "Rio de Janeiro"],
  ["Turkey", "Ankara", "Istanbul"],
  ["Kenya", "Nairobi", "Mombasa"],
  ["Egypt", "Cairo", "Alexandria"],
  ["Norway", "Oslo", "Bergen"],
  ["Portugal", "Lisbon", "Porto"],
  ["Poland", "Warsaw", "Krakow"],
  ["Morocco", "Rabat", "Casablanca"],
  ["Peru", "Lima", "Cusco"],
  ["New Zealand", "Wellington", "Auckland"],
  ["Switzerland", "Bern", "Zurich"],
  ["India", "New Delhi", "Mumbai"],
  ["Ecuador", "Quito", "Guayaquil"],
  ["Italy", "Rome", "Milan"],
  ["Spain", "Madrid", "Barcelona"],
  ["Greece", "Athens", "Thessaloniki"],
  ["Sweden", "Stockholm", "Gothenburg"],
  ["Nepal", "Kathmandu", "Pokhara"],
] as const;

/** Question, statement with a gap, right and wrong filling. */
const OTHERS = [
  ["Which planet is closest to the sun?", "The planet closest to the sun is _.", "Mercury", "Mars"],
  ["What is the largest ocean?", "The largest ocean is the _.", "Pacific", "Atlantic"],
  ["How many legs does a spider have?", "A spider has _ legs.", "eight", "six"],
  ["How many strings does a violin have?", "A violin has _ strings.", "four", "seven"],
  [
    "Which metal is liquid at room temperature?",
    "The metal that is liquid at room temperature is _.",
    "mercury",
    "tin",
  ],
  ["What is the hardest natural material?", "The hardest natural material is _.", "diamond", "granite"],
  [
    "Which animal is the largest of all?",
    "The largest animal of all is the _.",
    "blue whale",
    "African elephant",
  ],
  ["How many sides does a hexagon have?", "A hexagon has _ sides.", "six", "nine"],
  ["Which organ pumps blood through the body?", "The organ that pumps blood is the _.", "heart", "liver"],
  ["What do bees make from nectar?", "From nectar, bees make _.", "honey", "butter"],
  [
    "Which country gave the Statue of Liberty?",
    "The Statue of Liberty was a gift from _.",
    "France",
    "Spain",
  ],
  ["Which season follows winter?", "The season after winter is _.", "spring", "autumn"],
  ["Who wrote Hamlet?", "Hamlet was written by _.", "William Shakespeare", "Charles Dickens"],
  ["Who painted the Mona Lisa?", "The Mona Lisa was painted by _.", "Leonardo da Vinci", "Claude Monet"],
  ["What is the tallest land animal?", "The tallest land animal is the _.", "giraffe", "camel"],
  ["Which gas do we need to breathe?", "The gas we need to breathe is _.", "oxygen", "helium"],
  [
    "How many minutes are there in two hours?",
    "Two hours have _ minutes.",
    "one hundred and twenty",
    "ninety",
  ],
  ["Which language is spoken in Brazil?", "The language spoken in Brazil is _.", "Portuguese", "Dutch"],
] as const;

const FACTS = [
  ...CAPITALS.map(([country, right, wrong]) => ({
    question: `What is the capital of ${country}?`,
    statement: `The capital of ${country} is _.`,
    right,
    wrong,
  })),
  ...OTHERS.map(([question, statement, right, wrong]) => ({ question, statement, right, wrong })),
];

const PREFACES = [
  "",
  "Quick question: ",
  "For a quiz tonight: ",
  "My daughter asked me this. ",
  "I keep forgetting this one. ",
  "Settle a bet for us. ",
  "Homework check. ",
  "Hello! ",
];
const REQUESTS = [
  "",
  "",
  " I would like to be sure.",
  " Tell me a little about it, too.",
  " Please do not guess.",
  " Thanks!",
];

function ask(random: Random): Question {
  const { question, statement, right, wrong } = random.pick(FACTS);
  return {
    prompt: random.pick(PREFACES) + question + random.pick(REQUESTS),
    answer: ({ correctness }) => ({ sentences: [statement.replace("_", correctness === 1 ? right : wrong)] }),
  };
}

export const facts: Family = {
  name: "facts",
  weights: {
    correctness: 0.6,
    relevance: 0.3,
    harmlessness: 0.05,
    politeness: 0.05,
    structure: 0,
    verbosity: 0,
  },
  ask,
  elaborations: [
    "This is one of the questions that come up in nearly every quiz.",
    "Many people mix it up, since the best-known name is not always the right one.",
    "A good atlas or an encyclopedia will tell you more.",
    "It is usually taught in the first years of school.",
    "A picture or a rhyme can help you to keep it in mind.",
    "The history behind it is longer than one might think.",
    "Teachers like the question because it invites a second one.",
    "If you want to know more, a library is a pleasant place to start.",
    "It is worth looking at a map or a drawing to go with it.",
    "There are several good books on the subject for readers of any age.",
  ],
};
