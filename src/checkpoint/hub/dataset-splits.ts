// Which files of a data set's repository belong to which split.
//
// Conventions: https://huggingface.co/docs/hub/datasets-data-files-configuration and `data_files.py` of the library
// `datasets`, in its order: what the card says, names of shards, names of folders, names of files, everything.
// The converted branch holds <config>/<split>/0000.parquet: https://huggingface.co/docs/dataset-viewer/parquet

/** Files in order, by split. */
export type SplitFiles = ReadonlyMap<string, readonly string[]>;

/** Splits by configuration. */
export type DatasetLayout = ReadonlyMap<string, SplitFiles>;

/** A configuration as the card of a data set lists it. */
export interface CardConfig {
  readonly name: string;
  readonly isDefault: boolean;
  readonly directory: string | null;
  /** Patterns by split; null: to be told from the names of files. */
  readonly patterns: ReadonlyMap<string, readonly string[]> | null;
}

/** The name of a configuration where there is only one. */
export const DEFAULT_CONFIG = "default";

const FORMATS = [/\.parquet$/i, /\.(?:jsonl|ndjson|json)(?:\.gz)?$/i, /\.csv(?:\.gz)?$/i];
const NO_DATA = /(?:^|\/)(?:config|dataset_infos?|dataset_dict|state)\.json$/i;
const HIDDEN = /(?:^|\/)(?:\.|__)/;
const SHARD = /-\d{5}-of-\d{5}[^/]*$/;

const KEYWORDS: Readonly<Record<string, readonly string[]>> = {
  train: ["train", "training"],
  validation: ["validation", "valid", "dev", "val"],
  test: ["test", "testing", "eval", "evaluation"],
};

/**
 * Tells configurations and splits from the names of a repository's files, those that armorm reads.
 *
 * @param card What the card lists; empty where it lists nothing, and for the converted branch.
 * @param config A configuration that is asked for: without a list, a folder may be one.
 */
export function layoutOf(
  names: readonly string[],
  card: readonly CardConfig[],
  config: string | null,
): DatasetLayout {
  const data = names.filter(isData).sort();
  if (card.length > 0) return byCard(data, card);
  const layout =
    byConverted(data) ?? byShardedFolders(data) ?? new Map([[DEFAULT_CONFIG, byNames(data, "")]]);
  const below = config === null ? [] : data.filter((name) => name.startsWith(`${config}/`));
  if (config === null || layout.has(config) || below.length === 0) return layout;
  return new Map([...layout, [config, byNames(below, `${config}/`)]]);
}

/** A file whose name is that of a split: `filtered.parquet` and `data/filtered.jsonl` of `filtered`. */
export function namedAs(names: readonly string[], split: string): readonly string[] {
  const named = names.filter((name) => isData(name) && stemOf(name) === split);
  return oneFormat(named.sort());
}

const isData = (name: string): boolean =>
  FORMATS.some((format) => format.test(name)) && !NO_DATA.test(name) && !HIDDEN.test(name);

const stemOf = (name: string): string => name.replace(/^.*\//, "").replace(/\..*$/, "");

function byCard(data: readonly string[], card: readonly CardConfig[]): DatasetLayout {
  const layout = new Map<string, SplitFiles>();
  for (const { name, directory, patterns } of card) {
    const root = directory === null ? "" : `${directory.replace(/^\.?\/|\/$/g, "")}/`;
    if (patterns === null) {
      layout.set(
        name,
        byNames(
          data.filter((file) => file.startsWith(root)),
          root,
        ),
      );
      continue;
    }
    const splits = new Map<string, readonly string[]>();
    for (const [split, globs] of patterns) {
      const files = globs.flatMap((glob) => {
        const pattern = globPattern(root + glob.replace(/^\.\//, ""));
        return data.filter((file) => pattern.test(file));
      });
      if (files.length > 0) splits.set(split, oneFormat([...new Set(files)]));
    }
    layout.set(name, splits);
  }
  return layout;
}

/** `<config>/<split>/0000.parquet`, and nothing else. */
function byConverted(data: readonly string[]): DatasetLayout | null {
  return byFolders(data, /^([^/]+)\/([^/]+)\/\d{4,}\.parquet$/);
}

/** `<config>/<split>-00000-of-00001.parquet`, and nothing else, in folders other than `data`. */
function byShardedFolders(data: readonly string[]): DatasetLayout | null {
  if (data.some((name) => name.startsWith("data/"))) return null;
  return byFolders(data, /^([^/]+)\/([^/]+?)-\d{5}-of-\d{5}[^/]*$/);
}

function byFolders(data: readonly string[], pattern: RegExp): DatasetLayout | null {
  const layout = new Map<string, Map<string, string[]>>();
  for (const name of data) {
    const [, config, split] = pattern.exec(name) ?? [];
    if (config === undefined || split === undefined) return null;
    if (!layout.has(config)) layout.set(config, new Map());
    append(layout.get(config)!, split, name);
  }
  return layout.size === 0 ? null : layout;
}

function byNames(data: readonly string[], root: string): SplitFiles {
  const below = (name: string) => name.slice(root.length);
  const sharded = collect(data, (name) => {
    const [, split] = /^(?:data\/)?([^/]+?)-\d{5}-of-\d{5}[^/]*$/.exec(below(name)) ?? [];
    return split ?? null;
  });
  const byFolder = () => collect(data, (name) => keywordIn(below(name).split("/").slice(0, -1)));
  const byFile = () => collect(data, (name) => keywordIn([stemOf(name)]));
  const found = [() => sharded, byFolder, byFile].map((find) => find()).find(({ size }) => size > 0);
  const splits = found ?? new Map(data.length === 0 ? [] : [["train", [...data]]]);
  return new Map([...splits].map(([split, files]) => [split, oneFormat(files)]));
}

/** The split whose keyword stands as a word in one of the names. */
function keywordIn(names: readonly string[]): string | null {
  for (const [split, keywords] of Object.entries(KEYWORDS)) {
    const word = new RegExp(`(?:^|[-._ 0-9])(?:${keywords.join("|")})(?:$|[-._ 0-9])`);
    if (names.some((name) => word.test(name))) return split;
  }
  return null;
}

function collect(
  names: readonly string[],
  splitOf: (name: string) => string | null,
): Map<string, readonly string[]> {
  const splits = new Map<string, string[]>();
  for (const name of names) {
    const split = splitOf(name);
    if (split !== null) append(splits, split, name);
  }
  return splits;
}

function append(splits: Map<string, string[]>, split: string, name: string): void {
  const files = splits.get(split);
  if (files) files.push(name);
  else splits.set(split, [name]);
}

/** Repositories often hold one split in several formats: the first of Parquet, JSON and CSV is taken. */
function oneFormat(files: readonly string[]): readonly string[] {
  const format = FORMATS.find((each) => files.some((name) => each.test(name)));
  return format ? files.filter((name) => format.test(name)) : files;
}

/**
 * The shard that names like `train-00000-of-00003.parquet` promise and the list lacks, or null.
 */
export function missingShard(files: readonly string[]): string | null {
  for (const name of files) {
    const [, start, total, rest] = /^(.*-)\d{5}-of-(\d{5})([^/]*)$/.exec(name) ?? [];
    if (start === undefined || !SHARD.test(name)) continue;
    // A shard's name may end with a hash of its contents.
    const there = new Set(
      files
        .filter((each) => each.startsWith(start))
        .map((each) => each.slice(start.length, start.length + 5)),
    );
    for (let i = 0; i < Number(total); i++) {
      const number = String(i).padStart(5, "0");
      if (!there.has(number)) return `${start}${number}-of-${total}${rest}`;
    }
  }
  return null;
}

/** `*` and `?` within a folder, `**` across folders, `[…]` and `{a,b}`. */
function globPattern(glob: string): RegExp {
  const source = glob.replace(/\*\*\/|\*\*|\*|\?|\[!?[^\]]*\]|\{[^}]*\}|[.+^$()|\\]/g, (token) => {
    if (token === "**/") return "(?:.*/)?";
    if (token === "**") return ".*";
    if (token === "*") return "[^/]*";
    if (token === "?") return "[^/]";
    if (token.startsWith("[")) return token.replace(/^\[!/, "[^").replaceAll("\\", "\\\\");
    if (token.startsWith("{")) {
      const choices = token.slice(1, -1).split(",");
      return `(?:${choices.map((choice) => choice.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("|")})`;
    }
    return `\\${token}`;
  });
  return new RegExp(`^${source}$`);
}
