// A training run as it is written down: what a user asks for, and what a model directory keeps of it.

import { isAbsolute, relative, sep } from "node:path";
import type { BackboneDtype } from "../backbone/arithmetic.ts";
import type { OverlongPolicy } from "../chat/overlong.ts";
import type { EmbeddingKind, EmbeddingManifest } from "../embedding/manifest.ts";
import type { Device } from "../engine/devices.ts";
import type { CheckpointOptions, GatingOptions } from "./gating-training.ts";
import type { DebiasingOptions } from "./reward-transform.ts";
import type { RegressionOptions } from "./training-regression.ts";
import type { TrainingReport, TrainingSettings } from "./training-report.ts";
import type { SetIdentity } from "./training-sets.ts";

/** What decides how a conversation becomes token ids; for backbones that lack a template, a known family or a BOS rule. */
export interface ChatConfiguration {
  /** Whether conversations begin with BOS. Default: the checkpoint's rule. */
  readonly bos?: "on" | "off";
  /** A file with a Jinja chat template. Default: the backbone's. */
  readonly template?: string;
  /** Token ids whose last occurrence begins at the gating token. Default: the family's. */
  readonly gatingPattern?: readonly number[];
  /** Let special tokens inside messages act, as Hugging Face does. Default false. */
  readonly compat?: boolean;
}

/** How data is embedded. */
export interface EmbeddingConfiguration {
  /** Arithmetic of the backbone. Default `auto`. */
  readonly dtype?: "auto" | BackboneDtype;
  /** Where it computes. Default `auto`. */
  readonly device?: "auto" | Device;
  /** Default: ONNX Runtime's choice. */
  readonly threads?: number;
  /** Longest conversation. Default: the backbone's limit. */
  readonly maxTokens?: number;
  /** What becomes of longer ones. Default `reject`. */
  readonly overlong?: OverlongPolicy;
  /** Rows of the data per file. Default: as many as `embed` chooses. */
  readonly partRows?: number;
  /** Stop at the first row that cannot be read. Default false: it is counted. */
  readonly strict?: boolean;
  /** The folder of the embedding sets, each in one of its own. Default `embedded`. */
  readonly directory?: string;
}

/** Data to embed. */
export interface DataSource {
  /** `PATH` or `NAME=PATH`: a file, a folder of files, or `org/name[@revision][:split]` on the hub. */
  readonly data: string;
  /** What its rows are. Default: recognised. */
  readonly format?: string;
  /** Default: `ratings` and `pairs` under these names; elsewhere told from the first row. */
  readonly kind?: EmbeddingKind;
  /** Ratings to keep, by name or pattern. Default: all. */
  readonly objectives?: readonly string[];
  /** Declared scales of ratings, `NAME=MIN:MAX` or `NAME=A*y+B`. Default: the range that occurs. */
  readonly scales?: readonly string[];
  /** Only the first rows. */
  readonly limit?: number;
}

/** Data embedded already. */
export interface EmbeddedSource {
  /** The directory of an embedding set. */
  readonly embeddings: string;
}

/** A text is the location of data. */
export type TrainingSource = string | DataSource | EmbeddedSource;

/** What a model is trained on, and with which backbone. */
export interface TrainingSources {
  /** A directory, `org/name[@revision]` on the hub, or `tiny`. Needed where there is data to embed, and only there. */
  readonly backbone?: string;
  readonly chat?: ChatConfiguration;
  readonly embedding?: EmbeddingConfiguration;
  /** Needed, or `statistics` in their place. */
  readonly ratings?: readonly TrainingSource[];
  /** Files of `armorm statistics` that stand for all ratings, in any order. */
  readonly statistics?: readonly string[];
  readonly pairs: readonly TrainingSource[];
  readonly reference?: readonly TrainingSource[];
  readonly evaluation?: readonly TrainingSource[];
}

export const ROLES = ["ratings", "pairs", "reference", "evaluation"] as const;
/** What a set is for. */
export type SetRole = (typeof ROLES)[number];

/** What is known of an embedding set that took part in a run. */
export interface RecordedSet {
  readonly kind: EmbeddingKind;
  /** Hash of everything that decided the set's contents. */
  readonly run: string;
  readonly rows: number;
  readonly partRows: number;
  readonly data: EmbeddingManifest["data"];
}

/** What a run found. A configuration that holds it is trained on the same data and backbone, or refused. */
export interface TrainingRecord {
  readonly versions: TrainingReport["versions"];
  readonly backbone: Pick<EmbeddingManifest["backbone"], "fingerprint" | "hiddenSize" | "dtype">;
  readonly chat: { readonly fingerprint: string };
  readonly sets: Readonly<Record<SetRole, readonly RecordedSet[]>>;
}

/** A whole training run, from data to model: what `armorm train --config` reads. Options have the library's names. */
export interface TrainingConfiguration extends TrainingSources {
  /** Objectives to fit. Default: all that are rated, and `length`. */
  readonly objectives?: readonly string[];
  /** `targets`: the objectives to debias against; default `length` if it is fitted, none: `[]`. */
  readonly debiasing?: DebiasingOptions & { readonly targets?: readonly string[] };
  readonly split?: {
    /** Default 0.2. */
    readonly validationFraction?: number;
    /** Default 0. */
    readonly testFraction?: number;
    /** Default false. */
    readonly dropOverlaps?: boolean;
    /** Decides the splits, the gate's initial weights and its batches. Default 0. */
    readonly seed?: number;
  };
  readonly regression?: RegressionOptions;
  readonly gating?: Omit<GatingOptions, "patience"> & {
    readonly patience?: number | "never";
    /** Where gate training keeps what it needs to go on. Default: a folder in that of the embedding sets, while it runs. */
    readonly checkpoint?: CheckpointOptions;
  };
  /** Further seeds to train the gate with, for comparison only. Default 0. */
  readonly seedSensitivity?: number;
  /** The model directory. */
  readonly out?: string;
  readonly record?: TrainingRecord;
}

/** A configuration with nothing left open. */
export type ResolvedConfiguration = TrainingSources & {
  readonly [K in "objectives" | "debiasing" | "split" | "gating" | "record"]-?: TrainingConfiguration[K] &
    object;
} & Pick<TrainingSettings, "regression" | "seedSensitivity">;

/** The file of a model directory that says how it was trained. */
export const CONFIGURATION = "training-configuration.yaml";

const ABOUT = `What this model was trained on and how, every default filled in. To train it again, from the same data to the same
bytes: armorm train --config ${CONFIGURATION} --out DIR. Relative paths are relative to this file. \`record\` is what
the run has found; training refuses data or a backbone that are not those of the record.`;

/** The sets by role. */
export type SetsByRole = Readonly<Record<SetRole, readonly SetIdentity[]>>;

/**
 * Everything that decided a run: options with their defaults, data with its hashes, the backbone, versions and seed. What decides
 * nothing about the model is left out: its folder, the folder of checkpoints, and how much memory prompts may take.
 *
 * @param sources Where the sets come from, with paths as they are to be stored.
 */
export function resolveConfiguration(
  sources: TrainingSources,
  sets: SetsByRole,
  { objectives, debias, debiasing, regression, seedSensitivity, ...split }: TrainingSettings,
  { history, versions }: Pick<TrainingReport, "history" | "versions">,
): ResolvedConfiguration {
  const { seed: _seed, dtype: _dtype, patience, ...gating } = history.options;
  const { backbone, chat } = sets.pairs[0]!.manifest;
  const { fingerprint, hiddenSize, dtype } = backbone;
  return {
    ...sources,
    reference: sources.reference ?? [],
    evaluation: sources.evaluation ?? [],
    objectives,
    debiasing: { targets: debias, ...debiasing },
    split,
    regression,
    seedSensitivity,
    gating: { ...gating, patience: patience === Number.POSITIVE_INFINITY ? "never" : patience },
    record: {
      versions,
      backbone: { fingerprint, hiddenSize, dtype },
      chat: { fingerprint: chat.fingerprint },
      sets: {
        ratings: sets.ratings.map(recordSet),
        pairs: sets.pairs.map(recordSet),
        reference: sets.reference.map(recordSet),
        evaluation: sets.evaluation.map(recordSet),
      },
    },
  };
}

const recordSet = ({ manifest }: SetIdentity): RecordedSet => ({
  kind: manifest.kind,
  run: manifest.run,
  rows: manifest.rowsOut,
  partRows: manifest.partRows,
  data: manifest.data,
});

/** A path as a file in `out` names it: from there, unless it is absolute. */
export const storedPath = (out: string, path: string): string =>
  isAbsolute(path) ? path : relative(out, path).split(sep).join("/");

/** Sets that stand for themselves, as a model directory names them. */
export function embeddedSources(
  out: string,
  sets: SetsByRole,
  statistics?: readonly string[],
): TrainingSources {
  const named = (role: SetRole) =>
    sets[role].map(({ directory }) => ({ embeddings: storedPath(out, directory) }));
  return {
    ...(statistics
      ? { statistics: statistics.map((path) => storedPath(out, path)) }
      : { ratings: named("ratings") }),
    pairs: named("pairs"),
    reference: named("reference"),
    evaluation: named("evaluation"),
  };
}

/** A configuration as the text of its file. */
export async function formatConfiguration(configuration: ResolvedConfiguration): Promise<string> {
  // Loaded when it is needed: it takes a while to start.
  const { Document } = await import("yaml");
  const document = new Document(configuration, { aliasDuplicateObjects: false });
  document.commentBefore = ABOUT.replace(/^/gm, " ");
  return document.toString({ lineWidth: 0 });
}
