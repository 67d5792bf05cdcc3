import type { Random } from "../../random.ts";
import type { Family, Question } from "./family.ts";

/** What somebody says in passing, and what one might reply. */
const REMARKS = [
  [
    "I just got back from a long walk in the rain.",
    "A walk in the rain can clear the head.",
    "Wet shoes and a fresh mind go together.",
  ],
  [
    "We adopted a puppy last weekend.",
    "A puppy turns a house upside down.",
    "The first weeks with a puppy are busy ones.",
  ],
  [
    "My tomatoes are finally ripe.",
    "Ripe tomatoes are worth the wait.",
    "Nothing tastes like a tomato from the garden.",
  ],
  [
    "I burned the toast again this morning.",
    "Burned toast happens in every kitchen.",
    "A little charcoal is part of breakfast.",
  ],
  [
    "It is my first day in a new city.",
    "A new city is an adventure.",
    "The first day in a new place is a long one.",
  ],
  [
    "I finished a huge jigsaw puzzle last night.",
    "The last piece is always the best one.",
    "A big puzzle takes patience.",
  ],
  [
    "My train was late for the third time this week.",
    "A late train spoils the morning.",
    "Waiting on a platform is tiring.",
  ],
  [
    "I am learning to play the ukulele.",
    "The ukulele is a cheerful instrument.",
    "The first songs are the most fun.",
  ],
  [
    "My grandmother turned ninety yesterday.",
    "Ninety years are a reason to celebrate.",
    "She must have many stories to tell.",
  ],
  [
    "I cannot decide what to cook tonight.",
    "Choosing is the hardest part of cooking.",
    "Soup is an easy way out.",
  ],
  [
    "We are painting the kitchen yellow.",
    "Yellow makes a kitchen bright.",
    "A fresh coat of paint changes a room.",
  ],
  [
    "I saw a fox in the garden at dawn.",
    "A fox at dawn is a lovely sight.",
    "Animals come close when it is quiet.",
  ],
  [
    "I have a cold and stayed in bed all day.",
    "A day in bed is the best cure for a cold.",
    "Rest is what a cold asks for.",
  ],
  [
    "My friends are coming over for a game night.",
    "A game night is a fine way to end a week.",
    "Good games bring people together.",
  ],
  [
    "I started to keep a diary.",
    "A diary keeps small things from being lost.",
    "Writing in the evening calms the mind.",
  ],
  [
    "The snow came early this year.",
    "Early snow makes everything quiet.",
    "Snow changes the light in the whole house.",
  ],
] as const;

const GREETINGS = [
  "",
  "Hi! ",
  "Hello there. ",
  "Good morning! ",
  "Good evening. ",
  "Hey, how are you? ",
  "Nice to meet you. ",
  "Here is some news. ",
];
const ENDINGS = [
  "",
  " How was your day?",
  " What do you think?",
  " I thought I would tell you.",
  " Do you have any plans?",
  " Isn't that something?",
  " That is all my news.",
  " It made me smile.",
];

function ask(random: Random): Question {
  const [remark, ...replies] = random.pick(REMARKS);
  return {
    prompt: random.pick(GREETINGS) + remark + random.pick(ENDINGS),
    answer: (_, draw) => ({ sentences: [draw.pick(replies)] }),
  };
}

export const smallTalk: Family = {
  name: "small-talk",
  weights: {
    correctness: 0,
    relevance: 0.2,
    harmlessness: 0.15,
    politeness: 0.65,
    structure: 0,
    verbosity: 0,
  },
  ask,
  claimsCarryCorrectness: true,
  elaborations: [
    "Days like that stay in the memory for a while.",
    "It is often the small things that make a week.",
    "A cup of tea goes well with it.",
    "There is something to be said for taking it slowly.",
    "Perhaps you will find the time to do it again soon.",
    "The people around you have surely noticed it, too.",
    "One can talk about such things for hours without getting bored.",
    "It sounds like a good story for the next dinner.",
    "Some music in the background would round it off.",
    "Next week may bring another surprise of the kind.",
  ],
};
