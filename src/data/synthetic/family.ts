import type { Random } from "../../random.ts";
import type { DemoObjective, Traits } from "./objectives.ts";

/** The part of a response that answers the prompt; everything around it is common to all families. */
export interface Answer {
  /** Whole sentences: the decisive one first, or the lead to `items` or `code`. */
  readonly sentences: readonly string[];
  /** Things asked for one by one: a list where the response is structured, else a sentence. */
  readonly items?: readonly string[];
  /** A snippet, in a block where the response is structured, else in line. */
  readonly code?: { readonly language: string; readonly lines: readonly string[] };
}

export interface Question {
  readonly prompt: string;
  /** `correctness` and `harmlessness` of the traits decide what is said. */
  answer(traits: Traits, random: Random): Answer;
}

/** A kind of prompt, with the weights by which its responses are preferred. */
export interface Family {
  readonly name: string;
  /** Share of each objective in the preference between two responses; the sizes add up to 1. */
  readonly weights: Readonly<Record<DemoObjective, number>>;
  ask(random: Random): Question;
  /** Sentences on the subject that claim nothing checkable; they make a response longer. */
  readonly elaborations: readonly string[];
  /** Whether the answer itself carries harmlessness 0 and 0.5 (else a remark does). */
  readonly answersCarryHarm?: boolean;
  /** Whether correctness rests on a claim made in passing (else on the answer itself). */
  readonly claimsCarryCorrectness?: boolean;
}
