// What a person has typed: a conversation and the answers to compare. Pure: the form shows it, nothing else changes it.

import type { Message } from "../src/chat/messages.ts";

export interface Draft {
  /** Null: no system message, which is not the same as an empty one. */
  readonly system: string | null;
  readonly turns: readonly Message[];
  readonly answers: readonly string[];
}

/** More can come from a file; typed ones end here. */
export const MOST_ANSWERS = 16;

export const EMPTY_DRAFT: Draft = {
  system: null,
  turns: [{ role: "user", content: "" }],
  answers: ["", ""],
};

export const EXAMPLE_DRAFT: Draft = {
  system: null,
  turns: [{ role: "user", content: "List three things to pack for a walk in the rain." }],
  answers: [
    "1. A rain jacket\n2. Waterproof shoes\n3. A dry pair of socks",
    "jacket and also shoes so socks then maybe",
    "I would be glad to help. A light rain jacket keeps you dry. Shoes that let no water in are worth their weight. Please do not forget a spare pair of socks, because wet feet end every walk early.",
  ],
};

/** A draft of the messages and answers that came from elsewhere. A system message that does not come first stays a turn. */
export function draftOf(prompt: readonly Message[], answers: readonly string[]): Draft {
  const [first, ...rest] = prompt;
  if (first?.role === "system") return { system: first.content, turns: rest, answers };
  return { system: null, turns: prompt, answers };
}

export const promptOf = ({ system, turns }: Draft): readonly Message[] =>
  system === null ? turns : [{ role: "system", content: system }, ...turns];

/** Adds the turn that comes next: people and models take turns. */
export function addTurn(draft: Draft): Draft {
  const role = draft.turns.at(-1)?.role === "user" ? "assistant" : "user";
  return { ...draft, turns: [...draft.turns, { role, content: "" }] };
}

export const changeTurn = (draft: Draft, index: number, change: Partial<Message>): Draft => ({
  ...draft,
  turns: draft.turns.map((turn, i) => (i === index ? { ...turn, ...change } : turn)),
});

export const removeTurn = (draft: Draft, index: number): Draft => ({
  ...draft,
  turns: draft.turns.filter((_, i) => i !== index),
});

export const addAnswer = (draft: Draft): Draft =>
  draft.answers.length >= MOST_ANSWERS ? draft : { ...draft, answers: [...draft.answers, ""] };

export const changeAnswer = (draft: Draft, index: number, text: string): Draft => ({
  ...draft,
  answers: draft.answers.map((answer, i) => (i === index ? text : answer)),
});

/** Two answers always stay: one alone has nothing to be compared with. */
export const removeAnswer = (draft: Draft, index: number): Draft =>
  draft.answers.length <= 2 ? draft : { ...draft, answers: draft.answers.filter((_, i) => i !== index) };

/** What keeps the draft from being compared, with what to do about it, or null. Empty answers are answers: models do give them. */
export function whatIsMissing({ turns, answers }: Draft): string | null {
  const last = turns.at(-1);
  if (last === undefined || turns.every(({ content }) => content.trim() === "")) {
    return "There is no question yet: type what the user says.";
  }
  const empty = turns.findIndex(({ content }) => content.trim() === "");
  if (empty >= 0) return `Turn ${empty + 1} is empty: fill it in or remove it.`;
  if (last.role === "assistant") {
    return "The conversation ends with the assistant: add what the user says next; answers have fields of their own.";
  }
  if (answers.every((answer) => answer.trim() === "")) return "There are no answers yet: type two or more.";
  return null;
}
