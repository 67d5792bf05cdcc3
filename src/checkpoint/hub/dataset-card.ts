// What the card of a data set says about its files.
// Source: https://huggingface.co/docs/hub/datasets-manual-configuration

import type { CardConfig } from "./dataset-splits.ts";

/**
 * Reads the list `configs` from the YAML at the head of a card. What is not written as documented counts as absent: the
 * names of files then say what there is.
 */
export async function readCardConfigs(card: string): Promise<CardConfig[]> {
  const [, head] = /^\ufeff?---\r?\n([\s\S]*?)\r?\n---\s*(?:\n|$)/.exec(card) ?? [];
  if (head === undefined) return [];
  const { parse } = await import("yaml");
  let configs: unknown;
  try {
    // Cards come from strangers: aliases that grow are not followed.
    configs = (parse(head, { maxAliasCount: 0, logLevel: "silent" }) as { configs?: unknown } | null)
      ?.configs;
  } catch {
    return [];
  }
  if (!Array.isArray(configs)) return [];
  return configs.flatMap((config: unknown) => {
    const {
      config_name: name,
      data_files,
      data_dir,
      default: isDefault,
    } = (config ?? {}) as Record<string, unknown>;
    if (typeof name !== "string") return [];
    const directory = typeof data_dir === "string" ? data_dir : null;
    return [{ name, isDefault: isDefault === true, directory, patterns: patternsFrom(data_files) }];
  });
}

/** `data_files`: a pattern, a list of patterns, or a list of `{split, path}`. */
function patternsFrom(value: unknown): Map<string, readonly string[]> | null {
  const texts = (paths: unknown): string[] =>
    [paths].flat().filter((path): path is string => typeof path === "string");
  const list = [value].flat().filter((entry) => entry !== undefined && entry !== null);
  const patterns = new Map<string, string[]>();
  for (const entry of list) {
    if (typeof entry === "string") patterns.set("train", [...(patterns.get("train") ?? []), entry]);
    else {
      const { split, path } = entry as { split?: unknown; path?: unknown };
      if (typeof split === "string") patterns.set(split, texts(path));
    }
  }
  return patterns.size === 0 ? null : patterns;
}
