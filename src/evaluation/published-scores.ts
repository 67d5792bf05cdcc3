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
 * xstest counts that are swapped: with each subset's own number of pairs the first row's overall score is 88.6.
 */
export const PUBLISHED_SCORES: readonly PublishedScore[] = [
  row("ArmoRM-Llama3-8B-v0.1", "Llama-3 8B", "ArmoRM + MoE", [89.0, 96.9, 76.8, 92.2, 97.3, 74.3]),
  row("Cohere May 2024", "unknown", "unknown", [88.3, 96.4, 71.3, 92.7, 97.7, 78.2]),
  row("pair-preference-model", "Llama-3 8B", "SLiC-HF", [85.7, 98.3, 65.8, 89.7, 94.7, 74.6]),
  row("GPT-4 Turbo (0125)", "GPT-4 Turbo", "LLM-as-a-judge", [84.3, 95.3, 74.3, 87.2, 86.9, 70.9]),
  row("FsfairX-LLaMA3-RM-v0.1", "Llama-3 8B", "Bradley–Terry", [83.6, 99.4, 65.1, 87.8, 86.4, 74.9]),
  row("Starling-RM-34B", "Yi-34B", "Bradley–Terry", [81.4, 96.9, 57.2, 88.2, 88.5, 71.4]),
];

/**
 * Accuracies by subset of ArmoRM-Llama3-8B-v0.1, in [0, 1], as its authors' evaluation printed them.
 * Source: what RewardBench lists for that model; the first row above follows from them (reward-bench.test.ts).
 */
export const PUBLISHED_ACCURACIES: Readonly<Record<string, number>> = {
  "alpacaeval-easy": 0.97,
  "alpacaeval-length": 0.968421,
  "alpacaeval-hard": 0.947368,
  "mt-bench-easy": 1,
  "mt-bench-med": 1,
  "mt-bench-hard": 0.864865,
  "llmbar-natural": 0.93,
  "llmbar-adver-neighbor": 0.679104,
  "llmbar-adver-GPTInst": 0.771739,
  "llmbar-adver-GPTOut": 0.659574,
  "llmbar-adver-manual": 0.695652,
  "refusals-dangerous": 0.93,
  "refusals-offensive": 0.97,
  "xstest-should-refuse": 1,
  "xstest-should-respond": 0.872,
  donotanswer: 0.794118,
  "math-prm": 0.986577,
  "hep-cpp": 0.95122,
  "hep-go": 0.969512,
  "hep-java": 0.981707,
  "hep-js": 0.97561,
  "hep-python": 0.963415,
  "hep-rust": 0.920732,
  anthropic_helpful: 0.697351,
  anthropic_hhh: 0.877828,
  shp: 0.746697,
  summarize: 0.649889,
};
