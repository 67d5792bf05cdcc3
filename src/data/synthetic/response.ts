import type { Random } from "../../random.ts";
import type { Answer, Family, Question } from "./family.ts";
import type { DemoTruth, Traits } from "./objectives.ts";
import * as phrases from "./phrases.ts";

/** Lengths between which verbosity runs from 0 to 1, in words. */
const SHORTEST = 5;
const LONGEST = 150;

/** Words of a text: stretches between white space that hold a letter or a digit. */
export function countWords(text: string): number {
  return text.split(/\s+/).filter((word) => /[\p{L}\p{N}]/u.test(word)).length;
}

/** Verbosity in [0, 1], on a logarithmic scale: 5 words are 0, 150 are 1. */
export function verbosityOf(text: string): number {
  const relative = Math.log(Math.max(countWords(text), 1) / SHORTEST) / Math.log(LONGEST / SHORTEST);
  return Math.min(1, Math.max(0, relative));
}

/**
 * Writes a response with the given traits and about the given length.
 *
 * The truth holds the traits as asked for, and the verbosity of the text that came out: courtesies, digressions and
 * lists take the words that they take.
 *
 * @param targetVerbosity In [0, 1], the scale of `verbosityOf`; on-topic sentences are added up to this length.
 */
export function writeResponse(
  family: Family,
  question: Question,
  traits: Traits,
  targetVerbosity: number,
  random: Random,
): { text: string; truth: DemoTruth } {
  const parts = gatherParts(family, question.answer(traits, random), traits, random);
  const targetWords = SHORTEST * (LONGEST / SHORTEST) ** targetVerbosity;
  const spare = random.shuffled([...family.elaborations, ...phrases.GENERAL_ELABORATIONS]);
  let words = countWords(layOut(parts, traits.structure, random));
  for (const sentence of spare) {
    // A sentence that would overshoot by more than it falls short now is left out.
    if (words + countWords(sentence) / 2 > targetWords) break;
    parts.body.push(sentence);
    words += countWords(sentence);
  }
  const text = layOut(parts, traits.structure, random);
  return { text, truth: { ...traits, verbosity: verbosityOf(text) } };
}

interface Parts {
  readonly opening: string[];
  readonly answer: Answer;
  readonly body: string[];
  readonly ending: string[];
  readonly closing: string[];
}

function gatherParts(family: Family, answer: Answer, traits: Traits, random: Random): Parts {
  const parts: Parts = { opening: [], answer, body: [], ending: [], closing: [] };
  const digressions = random.shuffled(phrases.DIGRESSIONS);
  const courteousStart = traits.politeness > 0.9 || (traits.politeness > 0.5 && random.chance(0.5));
  const courteousEnd = traits.politeness > 0.9 || (traits.politeness > 0.5 && !courteousStart);

  if (traits.politeness === 0) parts.opening.push(random.pick(phrases.RUDE_OPENINGS));
  if (courteousStart) parts.opening.push(random.pick(phrases.COURTEOUS_OPENINGS));
  if (traits.relevance === 0) parts.opening.push(digressions.pop()!);
  // A right claim is optional: a response that claims nothing says nothing wrong.
  if (family.claimsCarryCorrectness && (traits.correctness === 0 || random.chance(0.7))) {
    const [right, wrong] = random.pick(phrases.CLAIMS);
    parts.body.push(`${random.pick(phrases.CLAIM_LEADS)} ${traits.correctness === 1 ? right : wrong}.`);
  }
  if (traits.relevance < 1) parts.ending.push(digressions.pop()!);
  if (!family.answersCarryHarm) {
    if (traits.harmlessness === 0) parts.ending.push(random.pick(phrases.HARMFUL_REMARKS));
    if (traits.harmlessness === 0.5) parts.ending.push(random.pick(phrases.DUBIOUS_REMARKS));
  }
  if (courteousEnd) parts.closing.push(random.pick(phrases.COURTEOUS_CLOSINGS));
  return parts;
}

function layOut(parts: Parts, structure: number, random: Random): string {
  if (structure === 1) return asList(parts, random);
  const { answer } = parts;
  const sentences = [...parts.opening, ...answer.sentences];
  if (answer.items) sentences.push(enumeration(answer.items));
  if (answer.code) sentences.push(inline(answer.code.lines));
  sentences.push(...parts.body, ...parts.ending, ...parts.closing);
  return structure === 0 ? jumbled(sentences, random) : sentences.join(" ");
}

function asList({ opening, answer, body, ending, closing }: Parts, random: Random): string {
  const numbered = random.chance(0.5);
  const list = (items: readonly string[]) =>
    items.map((item, index) => `${numbered ? `${index + 1}.` : "-"} ${item}`).join("\n");
  const blocks: string[] = [];
  if (opening.length > 0) blocks.push(opening.join(" "));
  if (answer.code) {
    blocks.push(
      answer.sentences.join(" "),
      `\`\`\`${answer.code.language}\n${answer.code.lines.join("\n")}\n\`\`\``,
    );
    if (body.length > 0) blocks.push(list(body));
  } else if (answer.items) {
    blocks.push(answer.sentences.join(" "), list(answer.items.map(capitalized)));
    if (body.length > 0) blocks.push(body.join(" "));
  } else {
    blocks.push(`${random.pick(phrases.LIST_HEADINGS)}\n${list([...answer.sentences, ...body])}`);
  }
  if (ending.length > 0) blocks.push(ending.join(" "));
  if (closing.length > 0) blocks.push(closing.join(" "));
  return blocks.join("\n\n");
}

function enumeration(items: readonly string[]): string {
  if (items.length === 1) return `${capitalized(items[0]!)}.`;
  return `${capitalized(items.slice(0, -1).join(", "))} and ${items[items.length - 1]}.`;
}

function inline(lines: readonly string[]): string {
  return `\`${lines.map((line) => line.trim()).join(" ")}\``;
}

/** One breathless line: no capitals, no full stops; code is left as it is. */
function jumbled(sentences: readonly string[], random: Random): string {
  return sentences
    .map((sentence) => (sentence.startsWith("`") ? sentence : sentence.toLowerCase().replace(/[.,:!?]/g, "")))
    .reduce((text, sentence) => text + random.pick(phrases.JUMBLED_JOINTS) + sentence);
}

function capitalized(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
