import { InputError } from "../../errors.ts";
import { type DatasetId, formatDatasetId } from "./dataset-id.ts";
import {
  type CardConfig,
  type DatasetLayout,
  DEFAULT_CONFIG,
  missingShard,
  namedAs,
  type SplitFiles,
} from "./dataset-splits.ts";

export interface SelectedSplit {
  readonly config: string;
  readonly split: string;
  /** In order; at least one. */
  readonly files: readonly string[];
}

/** What is known of a repository's data. */
export interface DatasetFiles {
  readonly layout: DatasetLayout;
  readonly card: readonly CardConfig[];
  readonly names: readonly string[];
}

/**
 * Chooses the configuration and the split that a name asks for.
 *
 * @throws {InputError} `missing-split`, `ambiguous-split` (both list what there is), `missing-shard`.
 */
export function selectSplit(wanted: DatasetId, { layout, card, names }: DatasetFiles): SelectedSplit {
  const [config, splits] = selectConfig(wanted, layout, card);
  const split = wanted.split ?? onlySplit(wanted, layout, splits);
  // Where no card says what belongs together, a file of the split's name does.
  const files =
    splits.get(split) ?? (card.length === 0 && wanted.config === null ? namedAs(names, split) : []);
  if (files.length === 0)
    throw refuse("missing-split", wanted, layout, `the split ${split}`, "none of that name");
  const missing = missingShard(files);
  if (missing !== null) {
    throw new InputError(
      "missing-shard",
      `${formatDatasetId(wanted)}: expected the file ${missing} beside ${files[0]}, got none`,
      "the repository is incomplete: choose another revision, or tell its owner",
    );
  }
  return { config, split, files };
}

function selectConfig(
  wanted: DatasetId,
  layout: DatasetLayout,
  card: readonly CardConfig[],
): [config: string, splits: SplitFiles] {
  const name =
    wanted.config ??
    (layout.size === 1 ? [...layout.keys()][0] : undefined) ??
    card.find(({ isDefault }) => isDefault)?.name ??
    DEFAULT_CONFIG;
  const splits = layout.get(name);
  if (splits !== undefined) return [name, splits];
  if (wanted.config !== null) {
    throw refuse("missing-split", wanted, layout, `the configuration ${wanted.config}`, "none of that name");
  }
  throw refuse("ambiguous-split", wanted, layout, "a configuration", `one of ${layout.size} to choose`);
}

function onlySplit(wanted: DatasetId, layout: DatasetLayout, splits: SplitFiles): string {
  const [only] = splits.keys();
  // What the hub has converted in part only is not to be taken for the whole unawares.
  if (only !== undefined && splits.size === 1 && !only.startsWith("partial-")) return only;
  const got = splits.size === 1 ? "a part of one" : `one of ${splits.size} to choose`;
  throw refuse("ambiguous-split", wanted, layout, "a split", got);
}

/** Names in a message; more are counted. */
const MOST_NAMES = 12;

function refuse(
  code: string,
  wanted: DatasetId,
  layout: DatasetLayout,
  expected: string,
  got: string,
): InputError {
  const alone = layout.size === 1;
  const all = [...layout].flatMap(([config, splits]) =>
    [...splits.keys()].map((split) => (alone ? split : `${config}/${split}`)),
  );
  const more = all.length > MOST_NAMES ? ` and ${all.length - MOST_NAMES} more` : "";
  const { id, kind, revision } = wanted;
  const example = formatDatasetId({ id, kind, revision, config: null, split: all[0] ?? "train" });
  return new InputError(
    code,
    `${formatDatasetId(wanted)}: expected ${expected}, got ${got}`,
    `there are ${all.slice(0, MOST_NAMES).join(", ")}${more}: write ${example.replace("@main:", ":")}`,
  );
}
