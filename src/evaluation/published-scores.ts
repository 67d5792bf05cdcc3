// What others have published about themselves on RewardBench 1: context for one's own figures, not measured here.

import type { SectionName } from "./reward-bench.ts";

/** A row of the table in the published model's card, in percent, as printed there. */
export interface PublishedScore {
  readonly model: string;
  readonly base: string;
  readonly method: string;
  /** Prior sets included. */
  readonly overall: number;
  readonly sections: Readonly<Record<SectionName, number>>;
  readonly priorSets: number;
}

const row = (model: string, base: string, method: string, figures: readonly number[]): PublishedScore => {
  const [overall, chat, chatHard, safety, reasoning, priorSets] = figures as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  return {
    model,
    base,
    method,
    overall,
    sections: { Chat: chat, "Chat Hard": chatHard, Safety: safety, Reasoning: reasoning },
    priorSets,
  };
};

/**
 * Source: model card of RLHFlow/ArmoRM-Llama3-8B-v0.1 (another copy of it gives 88.2 for Cohere May 2024). Safety comes from
 * xstest counts that are swapped: with each subset's own number of pairs the first row's overall score is 88.6 (docs/evaluation.md).
 */
export const PUBLISHED_SCORES: readonly PublishedScore[] = [
  row("ArmoRM-Llama3-8B-v0.1", "Llama-3 8B", "ArmoRM + MoE", [89.0, 96.9, 76.8, 92.2, 97.3, 74.3]),
  row("Cohere May 2024", "unknown", "unknown", [88.3, 96.4, 71.3, 92.7, 97.7, 78.2]),
  row("pair-preference-model", "Llama-3 8B", "SLiC-HF", [85.7, 98.3, 65.8, 89.7, 94.7, 74.6]),
  row("GPT-4 Turbo (0125)", "GPT-4 Turbo", "LLM-as-a-judge", [84.3, 95.3, 74.3, 87.2, 86.9, 70.9]),
  row("FsfairX-LLaMA3-RM-v0.1", "Llama-3 8B", "Bradley–Terry", [83.6, 99.4, 65.1, 87.8, 86.4, 74.9]),
  row("Starling-RM-34B", "Yi-34B", "Bradley–Terry", [81.4, 96.9, 57.2, 88.2, 88.5, 71.4]),
];
