// From data locations to embedding sets: those that are there are opened, the others are made.

import { join } from "node:path";
import type { SetRole, TrainingConfiguration, TrainingSources } from "../armo/training-configuration.ts";
import { openTrainingStatistics, type TrainingStatistics } from "../armo/training-statistics.ts";
import { parseScale } from "../data/rating-scale.ts";
import { type EmbedOptions, embed } from "../embedding/embed.ts";
import { type Embedder, openEmbedder } from "../embedding/embedder.ts";
import { type EmbeddingSet, openEmbeddingSet } from "../embedding/embedding-set.ts";
import type { EmbeddingManifest } from "../embedding/manifest.ts";
import { isComplete } from "../embedding/set-directory.ts";
import { requireNoRejections } from "../embedding/survey.ts";
import { InputError } from "../errors.ts";
import { type BackbonePlan, planBackbone, planSet, type SetPlan } from "./embedding-plan.ts";
import type { LocatedSource, LocatedSources } from "./locate-sources.ts";
import { requireRecordedBackbone, requireRecordedData, requireRecordedSets } from "./record.ts";

export interface EmbeddingHooks
  extends Pick<EmbedOptions, "onFormat" | "onPlan" | "onProgress" | "onDoubts"> {
  /** After an abort the current part is still finished; the same call goes on with the next one. */
  readonly signal?: AbortSignal;
  /** Before a set is made. */
  readonly onSet?: (directory: string) => void;
  /** After it was made, or found: what it holds. */
  readonly onSetDone?: (directory: string, manifest: EmbeddingManifest, made: boolean) => void;
  /** Opens the backbone, once, where a set has to be made. Default: `openEmbedder`. */
  readonly openEmbedder?: typeof openEmbedder;
}

export interface EmbeddedSets {
  readonly sets: Readonly<Record<SetRole, readonly EmbeddingSet[]>>;
  /** In the place of ratings; null where there are none. */
  readonly statistics: TrainingStatistics | null;
  /** The sources as the model directory names them, how they were embedded filled in. */
  readonly stored: TrainingSources;
}

/**
 * Opens the sets of a configuration, and makes those that are not there.
 *
 * @throws {InputError} `different-data` where the configuration's record speaks of other data; what `embed` refuses.
 */
export async function openSets(
  located: LocatedSources,
  { chat, embedding, record }: TrainingConfiguration,
  hooks: EmbeddingHooks,
): Promise<EmbeddedSets> {
  const { backbone, template, directory, sources } = located;
  const statistics = located.statistics.length > 0 ? await openTrainingStatistics(located.statistics) : null;
  const plan = backbone === null ? null : await planBackbone(backbone, template, chat, embedding);
  if (record && plan) requireRecordedBackbone(record, plan);
  const planned: { readonly source: LocatedSource; readonly set: SetPlan | null }[] = [];
  for (const source of sources) {
    const { role, place } = source;
    const set =
      "data" in source
        ? await planSet(role, place, source.data, source.options, plan!, embedding?.partRows)
        : null;
    planned.push({ source, set });
  }
  if (record) requireRecordedData(record, planned, statistics !== null);

  const sets: Record<SetRole, EmbeddingSet[]> = { ratings: [], pairs: [], reference: [], evaluation: [] };
  let embedder: Embedder | null = null;
  try {
    for (const { source, set } of planned) {
      hooks.signal?.throwIfAborted();
      if (!("data" in source)) {
        sets[source.role].push(await openEmbeddingSet(source.directory));
        continue;
      }
      const out = join(directory, set!.name);
      const there = await isComplete(out);
      if (!there) {
        hooks.onSet?.(out);
        const open = hooks.openEmbedder ?? openEmbedder;
        const { threads, device, dtype } = { ...embedding, ...plan!.embedding };
        embedder ??= await open(backbone!, {
          ...plan!.chatOptions,
          device,
          dtype,
          ...(threads === undefined ? {} : { threads }),
        });
        await makeSet(embedder, source, set!, out, plan!, embedding, hooks);
      }
      const opened = await openEmbeddingSet(out);
      if (embedding?.strict) requireNoRejections(opened.manifest.rejections);
      hooks.onSetDone?.(out, opened.manifest, !there);
      sets[source.role].push(opened);
    }
  } finally {
    await embedder?.[Symbol.asyncDispose]();
  }
  if (record) requireRecordedSets(record, statistics ? { ...sets, ratings: statistics.sets } : sets);
  return {
    sets,
    statistics,
    stored: plan === null ? located.stored : filledIn(located.stored, plan),
  };
}

async function makeSet(
  { backbone, chat, chatSettings, location }: Embedder,
  source: LocatedSource & { readonly data: EmbedOptions["data"][number] },
  { kind }: SetPlan,
  out: string,
  plan: BackbonePlan,
  { partRows, strict = false }: NonNullable<TrainingConfiguration["embedding"]> = {},
  { signal, onFormat, onPlan, onProgress, onDoubts }: EmbeddingHooks = {},
): Promise<void> {
  const { objectives, scales, limit } = "options" in source ? source.options : {};
  const { maxTokens, overlong } = plan.embedding;
  const manifest = await embed(backbone, chat, {
    ...{ kind, data: [source.data], out, location, chatSettings, maxTokens, overlong, strict },
    ...(partRows === undefined ? {} : { partRows }),
    ...(objectives === undefined ? {} : { objectives }),
    ...(scales === undefined ? {} : { scales: scales.map(parseScale) }),
    ...(limit === undefined ? {} : { limit }),
    ...(signal === undefined ? {} : { signal }),
    ...(onFormat === undefined ? {} : { onFormat }),
    ...(onPlan === undefined ? {} : { onPlan }),
    ...(onProgress === undefined ? {} : { onProgress }),
    ...(onDoubts === undefined ? {} : { onDoubts }),
  });
  if (!manifest.complete) signal?.throwIfAborted();
  if (manifest.rowsOut > 0) return;
  throw new InputError(
    "no-usable-rows",
    `${source.place}: expected rows that can be embedded, got none of ${manifest.rowsIn}; the first: ${manifest.rejections[0]?.reason}`,
    "mend the rows, or raise embedding.maxTokens",
  );
}

function filledIn(stored: TrainingSources, { embedding, chatSettings }: BackbonePlan): TrainingSources {
  const { threads = null, partRows = null, directory } = stored.embedding ?? {};
  const { template = null } = stored.chat ?? {};
  const { bos, specialTokens, gatingPattern } = chatSettings;
  const { backbone, chat: _chat, embedding: _embedding, ...sources } = stored;
  // Null: nothing was chosen; a file that is read takes it for that.
  return {
    backbone,
    chat: { bos, template, gatingPattern, compat: specialTokens === "compat" },
    embedding: { ...embedding, threads, partRows, directory },
    ...sources,
  } as TrainingSources;
}
