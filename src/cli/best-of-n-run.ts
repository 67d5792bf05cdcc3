// What the benchmarks made of prompts with several responses share.

import type { BestOfNResult, CollectedPrompts } from "../evaluation/best-of-n-scores.ts";
import type { BestOfNEvaluation } from "../evaluation/evaluate-best-of-n.ts";
import type { RewardBench2Evaluation } from "../evaluation/evaluate-reward-bench-2.ts";
import { writeReports } from "./evaluation-report.ts";
import {
  type EvaluatedModel,
  type EvaluationFlags,
  evaluateModels,
  finishEvaluation,
} from "./evaluation-run.ts";
import { note } from "./output.ts";

/** Scores the prompts' responses with every model. */
export async function evaluatePromptModels(
  command: string,
  flags: EvaluationFlags,
): Promise<EvaluatedModel<CollectedPrompts>[]> {
  const [{ readBestOfN }, { scoreBestOfN, collectBestOfN }, { scoreBestOfNSets }] = await Promise.all([
    import("../data/best-of-n.ts"),
    import("../evaluation/best-of-n-scores.ts"),
    import("../scoring/score-embeddings.ts"),
  ]);
  const { dropOverlaps = false } = flags;
  return evaluateModels<BestOfNResult, CollectedPrompts>(flags, {
    command,
    unit: "prompts",
    options: { dropOverlaps },
    fromText: (model, locations, range) => scoreBestOfN(model, readBestOfN(locations), range),
    fromSets: scoreBestOfNSets,
    collect: (score, { trainedOn }, watch) => collectBestOfN(score, trainedOn, { dropOverlaps, ...watch }),
  });
}

type Evaluation = (BestOfNEvaluation | RewardBench2Evaluation) & { readonly model: string };

/** Writes and prints what has been found: JSON, or what `printAll` prints for people. */
export async function finishPrompts(
  flags: EvaluationFlags,
  evaluations: readonly Evaluation[],
  printAll: () => void,
): Promise<void> {
  const [first] = evaluations;
  const document = evaluations.length === 1 ? first! : { benchmark: first!.benchmark, models: evaluations };
  await finishEvaluation(flags, document, evaluations, printAll);
  if (flags.out !== undefined) {
    const pages = await writeReports(
      flags,
      flags.out,
      evaluations.map((evaluation) => ({ evaluation })),
    );
    note(`see ${pages}`);
  }
}
