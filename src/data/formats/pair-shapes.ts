// Shapes of pairs that the reader takes as they are; knowing them serves people.

import type { Fields } from "../fields.ts";
import type { DataFormat } from "./data-format.ts";

const asTheyAre = (row: Fields): readonly Fields[] => [row];

const turns = (value: unknown): number => (Array.isArray(value) && value.every(isMessage) ? value.length : 0);

const isMessage = (value: unknown): boolean => typeof value === "object" && value !== null && "role" in value;

/** Source: allenai/reward-bench. */
export const REWARD_BENCH: DataFormat = {
  name: "reward-bench",
  kind: "pairs",
  title: "RewardBench pairs, by subset",
  fits: (row) =>
    typeof row.subset === "string" && typeof row.chosen === "string" && typeof row.chosen_model === "string",
  toOwn: asTheyAre,
};

/** Source: RLHFlow/UltraFeedback-preference-standard, RLHFlow/pair_data_v2_80K_wsafety; TRL's documentation, "implicit prompt". */
export const CONVERSATIONS: DataFormat = {
  name: "conversations",
  kind: "pairs",
  title: "whole conversations (RLHFlow standard, TRL with an implicit prompt)",
  fits: (row) => turns(row.chosen) > 1 && turns(row.rejected) > 1,
  toOwn: asTheyAre,
};

/** Source: TRL's documentation, "explicit prompt, conversational". */
export const LAST_MESSAGES: DataFormat = {
  name: "last-messages",
  kind: "pairs",
  title: "a prompt of messages and the last message of each side (TRL with an explicit prompt)",
  fits: (row) => turns(row.prompt) > 0 && turns(row.chosen) === 1 && turns(row.rejected) === 1,
  toOwn: asTheyAre,
};
