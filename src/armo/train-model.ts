import { rm } from "node:fs/promises";
import { join } from "node:path";
import { removeCheckpoint } from "./gating-checkpoint.ts";
import { ABOUT_FILES, requireWritable, writeModelDirectory } from "./model-directory.ts";
import { type TrainOptions, trainArmo } from "./train.ts";
import {
  embeddedSources,
  resolveConfiguration,
  type SetsByRole,
  type TrainingSources,
} from "./training-configuration.ts";
import type { TrainingReport } from "./training-report.ts";

export interface TrainModelOptions extends TrainOptions {
  /** The model directory: empty or absent. */
  readonly out: string;
  /** Replace a model that armorm has written there. Default false. */
  readonly overwrite?: boolean;
  /** Where the sets come from, for `training-configuration.yaml`; paths relative to `out`. Default: the sets themselves. */
  readonly sources?: TrainingSources;
}

/**
 * Trains an ArmoRM on embedding sets and writes its model directory. The checkpoint of a run that was stopped is needed
 * no longer then, and removed.
 *
 * The same sets, options and versions on the same machine give the same bytes in every file.
 *
 * @throws {InputError} As `trainArmo`.
 */
export async function trainModel({
  out,
  overwrite = false,
  sources,
  ...options
}: TrainModelOptions): Promise<TrainingReport> {
  await requireWritable(out, overwrite);
  const { heads, report, settings, trainingKeys } = await trainArmo(options);
  // What was written about the model that stood here before must not stand beside this one.
  for (const name of ABOUT_FILES) await rm(join(out, name), { force: true });
  const { ratings = [], statistics, pairs, reference = [], evaluation = [] } = options;
  const sets: SetsByRole = { ratings: statistics?.sets ?? ratings, pairs, reference, evaluation };
  const { backbone, chat } = pairs[0]!.manifest;
  await writeModelDirectory(out, {
    heads,
    backbone: { location: backbone.location, fingerprint: backbone.fingerprint },
    chat,
    report,
    configuration: resolveConfiguration(
      sources ?? embeddedSources(out, sets, statistics?.paths),
      sets,
      settings,
      report,
    ),
    trainingKeys,
  });
  if (options.checkpoint) await removeCheckpoint(options.checkpoint.directory);
  return report;
}
