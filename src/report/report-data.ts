// What a report is made of. Every part may be missing: its sections are then left out.

import type { CalibrationBin } from "../armo/calibration.ts";
import type { Heads } from "../armo/heads.ts";
import type { TrainingReport } from "../armo/training-report.ts";
import type { PairTexts } from "../evaluation/pair-texts.ts";
import type { Comparison } from "../reward-model.ts";
import type { ScorerDirectory } from "../scoring/model-directory.ts";
import type { Named, StoredEvaluation } from "./stored-evaluations.ts";

type Later = "gating" | "calibration" | "diagnostics";

/** A report of training as it is stored; those of earlier versions lack some parts, and of calibration hold the bins alone. */
export type StoredTraining = Omit<TrainingReport, Later> &
  Partial<Pick<TrainingReport, "gating" | "diagnostics">> & {
    readonly calibration?: TrainingReport["calibration"] | readonly CalibrationBin[];
  };

/** An evaluation and what to call the data. */
export interface NamedEvaluation extends Named<StoredEvaluation> {
  /** Texts of pairs by their `index`, where they are known: the hardest pairs are shown with them. */
  readonly texts?: Readonly<Record<number, PairTexts>>;
}

/** A comparison, with the texts if they are known. */
export interface ComparedAnswers extends Comparison {
  readonly id?: string | number;
  /** Text, or messages, of which the last is shown. */
  readonly prompt?: string | readonly { readonly content: string }[];
  /** The responses' texts, in the order of `responses`. */
  readonly texts?: readonly string[];
}

/** A model as a report shows it; one without a gate has no heads but its scorer. */
export interface ReportedModel extends Pick<ScorerDirectory, "backbone" | "trainingPrompts"> {
  readonly heads: Pick<Heads, "objectives" | "hiddenSize" | "marginScale"> & Partial<Pick<Heads, "gate">>;
}

export interface ReportData {
  /** What to call the model. */
  readonly title: string;
  readonly model?: ReportedModel;
  readonly training?: StoredTraining;
  readonly evaluations?: readonly NamedEvaluation[];
  readonly comparisons?: readonly ComparedAnswers[];
}
