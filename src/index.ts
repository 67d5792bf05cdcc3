// The public API, in the order of the flow.

export {
  type ExportOptions,
  type ExportPlan,
  type ExportResult,
  exportCheckpoint,
} from "./armo/export-checkpoint.ts";
export {
  type Balance,
  type CheckpointOptions,
  type GatingData,
  type GatingHistory,
  type GatingOptions,
  type TrainGatingOptions,
  trainGating,
} from "./armo/gating-training.ts";

export type { Gate, Heads } from "./armo/heads.ts";
export { encodeHeads } from "./armo/heads-graph.ts";
export type { ArmoDirectory } from "./armo/model-directory.ts";
export {
  type DebiasingOptions,
  fitRewardTransform,
  type RewardTransform,
  type RewardTransformOptions,
} from "./armo/reward-transform.ts";
export {
  fitRidge,
  type RatedRows,
  type RidgeCaution,
  type RidgeFit,
  type RidgeOptions,
  type RidgeStatus,
  type RowSource,
  remedyFor,
} from "./armo/ridge.ts";
export { runGate, scoreEmbedding } from "./armo/score.ts";
export { spearman } from "./armo/spearman.ts";
export { type TrainOptions, type TrainResult, trainArmo } from "./armo/train.ts";
export { type TrainModelOptions, trainModel } from "./armo/train-model.ts";
export type { TrainingConfiguration } from "./armo/training-configuration.ts";
export type { RegressionOptions } from "./armo/training-regression.ts";
export type { TrainingReport } from "./armo/training-report.ts";
export {
  type Backbone,
  type BackboneOptions,
  type HiddenStatesOptions,
  type HiddenStatesRequest,
  type NextTokenLogitsRequest,
  openBackbone,
} from "./backbone/backbone.ts";
export { type Chat, type ChatOptions, type EncodedConversation, openChat } from "./chat/chat.ts";
export { type Message, validateConversation, validateMessages } from "./chat/messages.ts";
export { encodeWithin, type OverlongPolicy } from "./chat/overlong.ts";
export { type Checkpoint, openCheckpoint } from "./checkpoint/checkpoint.ts";
export { type SafetensorsDtype, type Tensor, toFloat32, toFloat64 } from "./checkpoint/dtypes.ts";
export {
  type PulledFile,
  type PulledRepository,
  type PullOptions,
  type PullPlan,
  type PullProgress,
  pull,
} from "./checkpoint/hub/pull.ts";
export { type PulledDataset, pullDataset } from "./checkpoint/hub/pull-dataset.ts";
export { readSafetensors } from "./checkpoint/safetensors.ts";
export { writeSafetensors } from "./checkpoint/safetensors-writer.ts";
export {
  type PlacedConfiguration,
  parseConfiguration,
  readConfiguration,
} from "./configuration/read-configuration.ts";
export {
  type TrainFromConfigurationOptions,
  trainFromConfiguration,
} from "./configuration/train-from-configuration.ts";
export { finalAnswersOf, readBestOfN } from "./data/best-of-n.ts";
export { extractFinalAnswer, normalizeAnswer } from "./data/final-answer.ts";
export { type DataLocation, parseDataLocation } from "./data/location.ts";
export { readPairs } from "./data/pairs.ts";
export { promptHash } from "./data/prompt-hash.ts";
export { type DeclaredScale, parseScale } from "./data/rating-scale.ts";
export { readRatings } from "./data/ratings.ts";
export type { BestOfNRow, PreferencePair, RatedConversation, RowError } from "./data/records.ts";
export { type EmbedOptions, embed } from "./embedding/embed.ts";
export { type Embedder, openEmbedder } from "./embedding/embedder.ts";
export { EmbeddingSet, openEmbeddingSet } from "./embedding/embedding-set.ts";
export { type ExportedEmbeddings, exportEmbeddings } from "./embedding/export-embeddings.ts";
export {
  type ImportedObjective,
  type ImportOptions,
  importEmbeddings,
} from "./embedding/import-embeddings.ts";
export type { EmbeddingManifest } from "./embedding/manifest.ts";
export {
  type MergeOptions,
  type MergeResult,
  type MissingPart,
  type MissingParts,
  mergeShards,
} from "./embedding/merge-shards.ts";
export { InputError } from "./errors.ts";
export { collectBestOfN, scoreBestOfN } from "./evaluation/best-of-n-scores.ts";
export { collectPairs } from "./evaluation/collect-pairs.ts";
export { compareModels, type ModelComparison } from "./evaluation/compare-models.ts";
export { type BestOfNEvaluation, evaluateBestOfN, reportBestOfN } from "./evaluation/evaluate-best-of-n.ts";
export { evaluatePairs, type PairEvaluation, reportPairs } from "./evaluation/evaluate-pairs.ts";
export {
  evaluateRewardBench,
  type RewardBenchEvaluation,
  reportRewardBench,
} from "./evaluation/evaluate-reward-bench.ts";
export {
  evaluateRewardBench2,
  type RewardBench2Evaluation,
  reportRewardBench2,
} from "./evaluation/evaluate-reward-bench-2.ts";
export { type RewardBenchScore, rewardBench } from "./evaluation/reward-bench.ts";
export { type RewardBench2Row, type RewardBench2Score, rewardBench2 } from "./evaluation/reward-bench-2.ts";
export { scorePairs } from "./evaluation/score-pairs.ts";
export {
  type CardResponse,
  findVerifyCard,
  readVerifyCard,
  type VerifyCard,
  writeVerifyCard,
} from "./evaluation/verify-card.ts";
export { createVerifyCard, type Verification, verifyModel } from "./evaluation/verify-model.ts";
export { type ModelDirectory, openModelDirectory } from "./opening/open-model-directory.ts";
export { openRewardModel, type RewardModelOptions } from "./opening/open-reward-model.ts";
export { renderReport } from "./report/report.ts";
export type { ReportData } from "./report/report-data.ts";
export type {
  ComparedPair,
  Comparison,
  Objective,
  RewardModel,
  Score,
  ScoreOptions,
  Steering,
} from "./reward-model.ts";
export type { LocalRewardModel } from "./scoring/local-model.ts";
export { compareScores, type RankingChange, rankingChange, rankScores } from "./scoring/ranking.ts";
export { scoreBestOfNSets, scorePairSets } from "./scoring/score-embeddings.ts";
export { type ScoreParts, toScore } from "./scoring/score-parts.ts";
export type { Scorer } from "./scoring/scorer.ts";
export { describeSteering, resolveSteering, steerScore } from "./scoring/steering.ts";
export type { BradleyTerryDirectory } from "./siblings/bradley-terry.ts";
