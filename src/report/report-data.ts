// What a report is made of. Every part may be missing: its sections are then left out.

import type { ModelDirectory } from "../armo/model-directory.ts";
import type { TrainingReport } from "../armo/training-report.ts";
import type { PairEvaluation } from "../evaluation/evaluate-pairs.ts";
import type { Comparison } from "../reward-model.ts";

type Later = "gating" | "calibration";

/** A report of training as it is stored; those of earlier versions lack some parts. */
export type StoredTraining = Omit<TrainingReport, Later> & Partial<Pick<TrainingReport, Later>>;
export type StoredEvaluation = Omit<PairEvaluation, Later> & Partial<Pick<PairEvaluation, Later>>;

/** An evaluation and what to call the data. */
export interface NamedEvaluation {
  readonly name: string;
  readonly evaluation: StoredEvaluation;
}

/** A comparison, with the texts if they are known. */
export interface ComparedAnswers extends Comparison {
  readonly id?: string | number;
  /** Text, or messages, of which the last is shown. */
  readonly prompt?: string | readonly { readonly content: string }[];
  /** The responses' texts, in the order of `responses`. */
  readonly texts?: readonly string[];
}

export interface ReportData {
  /** What to call the model. */
  readonly title: string;
  readonly model?: Pick<ModelDirectory, "heads" | "backbone" | "trainingPrompts">;
  readonly training?: StoredTraining;
  readonly evaluations?: readonly NamedEvaluation[];
  readonly comparisons?: readonly ComparedAnswers[];
}
