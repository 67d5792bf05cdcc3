import { badRow, describe, type Fields } from "../fields.ts";
import type { DataFormat } from "./data-format.ts";

/** Rated by people from 0 to 4. */
const ATTRIBUTES = ["helpfulness", "correctness", "coherence", "complexity", "verbosity"] as const;

/** Between the turns of a prompt; what stands before the first one is the user's. */
const TURN = /\n?<extra_id_1>(User|Assistant)\n/;

/**
 * HelpSteer and HelpSteer2: `prompt`, `response` and five columns. In HelpSteer2 a prompt may hold several turns, parted by
 * lines `<extra_id_1>Assistant` and `<extra_id_1>User`.
 *
 * Source: the cards of nvidia/HelpSteer and nvidia/HelpSteer2.
 */
export const HELPSTEER: DataFormat = {
  name: "helpsteer",
  kind: "ratings",
  title: "HelpSteer, five ratings as columns",
  fits: (row) =>
    typeof row.prompt === "string" &&
    typeof row.response === "string" &&
    ATTRIBUTES.every((name) => typeof row[name] === "number"),
  toOwn(row, named) {
    const prompt = typeof row.prompt === "string" ? turnsOf(row.prompt) : row.prompt;
    if (named) return [{ ...row, prompt }];
    const missing = ATTRIBUTES.find((name) => (row[name] ?? null) === null);
    if (missing !== undefined) {
      throw badRow(
        `${missing}: expected a rating, got ${describe(row[missing])}`,
        "leave the row out, or name the objectives",
      );
    }
    return [{ ...row, prompt, ratings: Object.fromEntries(ATTRIBUTES.map((name) => [name, row[name]])) }];
  },
};

function turnsOf(prompt: string): string | Fields[] {
  // With one group, every second part is the speaker's name.
  const [first = "", ...rest] = prompt.split(TURN);
  if (rest.length === 0) return prompt;
  const messages = [{ role: "user", content: first }];
  for (let i = 0; i < rest.length; i += 2) {
    messages.push({ role: rest[i] === "User" ? "user" : "assistant", content: rest[i + 1]! });
  }
  // Some prompts begin with a marker of their own.
  return first === "" ? messages.slice(1) : messages;
}
