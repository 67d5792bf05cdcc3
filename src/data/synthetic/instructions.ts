import type { Random } from "../../random.ts";
import type { Family, Question } from "./family.ts";

/** What is asked for, and more of it than is ever needed. */
const TOPICS: readonly (readonly [topic: string, items: readonly string[]])[] = [
  ["fruits", ["apples", "pears", "plums", "cherries", "bananas", "mangoes", "figs"]],
  ["vegetables for a soup", ["carrots", "leeks", "potatoes", "celery", "onions", "parsnips", "peas"]],
  [
    "colours for a bedroom",
    ["soft grey", "pale blue", "warm white", "sage green", "cream", "light yellow", "lavender"],
  ],
  [
    "animals that live in a forest",
    ["deer", "foxes", "owls", "squirrels", "badgers", "hedgehogs", "wild boars"],
  ],
  [
    "things to pack for a hike",
    ["water", "a map", "a rain jacket", "sandwiches", "sun cream", "a torch", "plasters"],
  ],
  [
    "ideas for a rainy day",
    [
      "bake bread",
      "read a novel",
      "build a fort",
      "sort old photos",
      "play chess",
      "paint a picture",
      "call a friend",
    ],
  ],
  [
    "ways to save electricity",
    [
      "switch off lights",
      "dry clothes outside",
      "use a lid on pots",
      "unplug chargers",
      "wash at low heat",
      "fill the dishwasher",
    ],
  ],
  [
    "breakfast dishes",
    [
      "porridge",
      "scrambled eggs",
      "fruit salad",
      "pancakes",
      "yoghurt with berries",
      "toast with jam",
      "muesli",
    ],
  ],
  [
    "musical instruments",
    ["the piano", "the violin", "the flute", "the guitar", "the drums", "the harp", "the trumpet"],
  ],
  [
    "birthday presents for a grandfather",
    ["a warm scarf", "a puzzle", "a framed photo", "good coffee", "a bird feeder", "slippers"],
  ],
  ["names for a cat", ["Pepper", "Luna", "Biscuit", "Shadow", "Olive", "Ginger", "Misty"]],
  ["sports for two people", ["tennis", "badminton", "table tennis", "fencing", "squash", "judo", "rowing"]],
  ["herbs for a balcony", ["basil", "mint", "thyme", "rosemary", "parsley", "chives", "sage"]],
  [
    "topics for a school talk",
    ["volcanoes", "the water cycle", "honey bees", "space travel", "old castles", "recycling", "whales"],
  ],
  [
    "tips for sleeping better",
    [
      "keep regular hours",
      "air the room",
      "avoid late coffee",
      "put the phone away",
      "read a little",
      "take a short walk",
    ],
  ],
  [
    "kitchen tools for a beginner",
    ["a sharp knife", "a wooden spoon", "a whisk", "a large pan", "a sieve", "a peeler", "a grater"],
  ],
];

const NUMBERS = ["no", "one", "two", "three", "four", "five", "six"];

const WISHES = [
  "List exactly NUMBER TOPIC.",
  "Give me a list of NUMBER TOPIC, no more and no fewer.",
  "Name NUMBER TOPIC, one per line.",
  "I need exactly NUMBER TOPIC in a clear list.",
  "Please write down NUMBER TOPIC as bullet points.",
  "Make a numbered list of NUMBER TOPIC.",
];
const CONTEXTS = [
  "",
  " It is for a poster.",
  " I will print it.",
  " It is for my class.",
  " Keep to the number.",
  " I want to be able to tick them off.",
];

/** Without a number, so that they fit any. */
const LEADS = [
  "Here is what I suggest.",
  "This is what comes to mind.",
  "I can offer the following.",
  "I would go with this.",
];

function ask(random: Random): Question {
  const [topic, items] = random.pick(TOPICS);
  const wanted = random.integer(2, 5);
  const fill = (template: string) => template.replace("NUMBER", NUMBERS[wanted]!).replace("TOPIC", topic);
  return {
    prompt: fill(random.pick(WISHES)) + random.pick(CONTEXTS),
    answer: ({ correctness }, draw) => {
      const given = correctness === 1 ? wanted : wanted + draw.pick([-1, 1]);
      return { sentences: [draw.pick(LEADS)], items: draw.shuffled(items).slice(0, given) };
    },
  };
}

export const instructions: Family = {
  name: "instructions",
  weights: {
    correctness: 0.25,
    relevance: 0.15,
    harmlessness: 0.05,
    politeness: 0,
    structure: 0.55,
    verbosity: 0,
  },
  ask,
  elaborations: [
    "They are in no particular order, so feel free to rearrange them.",
    "I chose ones that are easy to find almost anywhere.",
    "Each of them works on its own or together with the others.",
    "If one does not suit you, it can be swapped for something similar.",
    "They should fit on a single page with room to spare.",
    "Most people will know them, which makes them a safe choice.",
    "You may want to add a small drawing beside each entry.",
    "Let the people around you add their own favourites later.",
    "I left out anything that is expensive or hard to come by.",
    "A larger typeface will make it readable from further away.",
  ],
};
