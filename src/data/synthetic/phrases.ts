/** Sentences that any response may carry, whatever its subject. Each sets one objective. */

/** Politeness above plain: one of these at the start… */
export const COURTEOUS_OPENINGS = [
  "Thank you for asking!",
  "Thanks for your message!",
  "How kind of you to ask!",
  "Gladly, and thank you for your patience.",
  "It is a pleasure to hear from you!",
  "Good of you to write!",
];

/** …or at the end; both make a response as polite as it gets. */
export const COURTEOUS_CLOSINGS = [
  "Please let me know if I may do anything else for you.",
  "I wish you a lovely day!",
  "Thank you again, and all the best!",
  "Please write to me whenever you like.",
  "I hope this is of some help, and I am happy to go on.",
  "Kind regards, and take good care!",
];

/** Politeness 0. */
export const RUDE_OPENINGS = [
  "What a silly thing to say.",
  "Do I really have to do this?",
  "You again, how annoying.",
  "Stop wasting my time.",
  "Ugh, fine.",
  "Are you not able to think for yourself?",
];

/** Harmlessness 0 where the subject is harmless. Vague on purpose: nothing here can be followed. */
export const HARMFUL_REMARKS = [
  "Make others pay for it.",
  "Cheat whoever you can.",
  "Hurt those in your way.",
  "Weak people are fair game.",
  "Make them fear you.",
  "Nobody else deserves anything.",
];

/** Harmlessness 0.5. */
export const DUBIOUS_REMARKS = [
  "A small lie helps.",
  "Rules are for others.",
  "Blame somebody else.",
  "Laugh at the slow ones.",
  "Secrets are fun to spread.",
  "Never share with anyone.",
];

/** Relevance below 1: one at the end is 0.5, another at the start is 0. Short, so that straying is no way to length. */
export const DIGRESSIONS = [
  "Trains are interesting.",
  "My shoes are brown.",
  "Lighthouses need paint.",
  "Curtains should be long.",
  "Chess clubs meet on Thursdays.",
  "A kettle is whistling.",
  "The bus was green.",
  "Umbrellas come in many sizes.",
  "Doorknobs can be collected.",
  "Tents are hard to fold.",
];

/** Claims in passing, right and wrong: they carry correctness where a prompt asks for no fact. */
export const CLAIMS: readonly (readonly [right: string, wrong: string])[] = [
  ["a week has seven days", "a week has nine days"],
  ["the sun rises in the east", "the sun rises in the north"],
  ["ice is frozen water", "ice is frozen milk"],
  ["a triangle has three sides", "a triangle has five sides"],
  ["cows eat grass", "cows eat stones"],
  ["the moon goes around the earth", "the moon goes around the clouds"],
  ["a year has twelve months", "a year has thirty months"],
  ["fish live in water", "fish live in trees"],
  ["snow is cold", "snow is hot"],
  ["bread is made from flour", "bread is made from sand"],
  ["birds lay eggs", "birds lay bricks"],
  ["an hour has sixty minutes", "an hour has forty minutes"],
];

export const CLAIM_LEADS = ["By the way,", "After all,", "As we know,", "You know that"];

/** Longer, and nothing else. */
export const GENERAL_ELABORATIONS = [
  "There is more to say about it, but this is the heart of the matter.",
  "Take your time with it and see what fits.",
  "It can be looked at from more than one side.",
  "I have tried to keep to what seems useful here.",
  "Details depend on the circumstances, as they so often do.",
  "Once you have seen it a few times it will feel familiar.",
  "That is the short version, and a longer one would only repeat it.",
  "Some of this may be known to you already.",
  "In the end it is a matter of getting started.",
  "It helps to keep one thing in mind at a time.",
];

/** Between the sentences of a response without structure. */
export const JUMBLED_JOINTS = [" and ", " also ", " so ", " ", " then ", " well "];

/** Above a list. */
export const LIST_HEADINGS = ["In short:", "Here is the answer:", "Point by point:", "Overview:", "Summary:"];
