import type { EmbeddingManifest } from "./manifest.ts";

type Field = readonly [name: string, value: (set: EmbeddingManifest) => unknown];

const short = (hash: string): string => hash.slice(0, 12);

const FIELDS: readonly Field[] = [
  ["kind", ({ kind }) => kind],
  ["backbone", ({ backbone }) => `${backbone.location} (${short(backbone.fingerprint)})`],
  ["hidden size", ({ backbone }) => backbone.hiddenSize],
  ["dtype", ({ backbone }) => backbone.dtype],
  ["tokenizer and chat template", ({ chat }) => short(chat.fingerprint)],
  ["bos", ({ chat }) => chat.bos],
  ["special tokens", ({ chat }) => chat.specialTokens],
  ["chat template of its own", ({ chat }) => chat.chatTemplate],
  ["gating pattern", ({ chat }) => chat.gatingPattern],
  ["max tokens", ({ maxTokens }) => maxTokens],
  ["overlong", ({ overlong }) => overlong],
  ["limit", ({ limit }) => limit],
  ["rows per part", ({ partRows }) => partRows],
  ["objectives", ({ objectives }) => objectives.map(({ name }) => name).join(",")],
  ["data", ({ data }) => data.map(({ source, file }) => `${source}=${file}`).join(" ")],
];

/**
 * In words, what makes two sets different ones: `max tokens: 512 there, 1024 here`.
 *
 * @param there The set that was found. @param here The one that was asked for.
 */
export function describeDifferences(there: EmbeddingManifest, here: EmbeddingManifest): string {
  const found: string[] = [];
  const compare = (name: string, one: unknown, two: unknown) => {
    const [a, b] = [show(one), show(two)];
    if (a !== b) found.push(`${name}: ${a} there, ${b} here`);
  };
  for (const [name, value] of FIELDS) {
    // A folder that has moved holds the same backbone.
    if (name === "backbone" && there.backbone.fingerprint === here.backbone.fingerprint) continue;
    compare(name, value(there), value(here));
  }
  if (there.data.length === here.data.length) {
    for (const [i, one] of there.data.entries()) {
      const two = here.data[i]!;
      if (one.file !== two.file || one.source !== two.source) continue;
      compare(`contents of ${one.file}`, short(one.sha256), short(two.sha256));
      compare(`format of ${one.file}`, one.format ?? "recognised", two.format ?? "recognised");
    }
  }
  for (const one of there.objectives) {
    const two = here.objectives.find(({ name }) => name === one.name);
    if (two !== undefined) compare(`scale of ${one.name}`, one.scale ?? "none", two.scale ?? "none");
  }
  if ((there.imported === undefined) !== (here.imported === undefined)) {
    compare("made by", there.imported ? "import" : "embed", here.imported ? "import" : "embed");
  }
  return found.length > 0 ? found.join("; ") : "another version of armorm, or of the ratings' ranges";
}

const MOST_CHARACTERS = 80;

function show(value: unknown): string {
  if (value === null) return "none";
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return text.length <= MOST_CHARACTERS ? text : `${text.slice(0, MOST_CHARACTERS - 1)}…`;
}
