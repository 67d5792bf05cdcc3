import { basename } from "node:path";
import { parseHubId } from "../checkpoint/hub/hub-id.ts";
import type { LicenceDuties } from "../checkpoint/licence.ts";
import { VERSION } from "../version.ts";
import type { ArmoDirectory } from "./model-directory.ts";

/** What the card of an exported checkpoint says beyond the model itself. */
export interface ExportFacts {
  /** The backbone's location. */
  readonly backbone: string;
  readonly className: string;
  readonly headsDtype: "f32" | "bf16";
  /** What the backbone's own card names, or null. */
  readonly licence: string | null;
  readonly duties: LicenceDuties | null;
  /** Whether a copy of the licence's text stands beside the weights. */
  readonly hasLicenceText: boolean;
  /** The file that tells of the training, or null. */
  readonly trainingCard: string | null;
}

const OFFICIAL_CLASS = "LlamaForRewardModelWithGating";

/** The model card of an exported checkpoint: how to load it here and in Python, its objectives, and the backbone's licence. */
export function exportCard({ heads, chat }: ArmoDirectory, facts: ExportFacts): string {
  const { backbone, className, headsDtype, licence, duties } = facts;
  const { objectives, marginScale } = heads;
  const hub = parseHubId(backbone);
  const backboneName = hub === null ? basename(backbone) : backbone;
  const rows = objectives.map(({ name, source, scale }) => {
    const rating = scale ? `reward · ${+scale.multiply.toFixed(4)} + ${+scale.add.toFixed(4)}` : "–";
    return `| ${name} | ${source ?? "–"} | ${rating} |`;
  });
  const front = [
    ...(licence === null || !/^[a-z0-9][a-z0-9.-]*$/.test(licence) ? [] : [`license: ${licence}`]),
    ...(hub === null ? [] : [`base_model: ${hub.id}`]),
    "pipeline_tag: text-classification",
    "tags: [reward-model, armorm]",
  ];
  const scale =
    marginScale === null
      ? "The model has no margin scale, so its margins are no probabilities."
      : `P(chosen ≻ rejected) = σ(β · margin) with β = ${marginScale}.`;
  return `---
${front.join("\n")}
---
# A reward model with ${objectives.length} objectives
${duties?.badge ? `\n**${duties.badge}**\n` : ""}
Scores a conversation as Σ coefficient · reward over ${objectives.length} objectives; the coefficients depend on the prompt alone. Method:
arXiv:2406.12845. Backbone: \`${backboneName}\`, its tensors as they are stored there; the heads in ${headsDtype === "f32" ? "f32, as they were trained" : "bf16, rounded from f32"}. Layout and
tensor names of RLHFlow/ArmoRM-Llama3-8B-v0.1. Exported by armorm ${VERSION}.

| objective | source | rating |
|---|---|---|
${rows.join("\n")}

A score is a real number, not a probability; compare scores of responses to one prompt only. ${scale}${facts.trainingCard === null ? "" : ` How it was trained and how well it does: ${facts.trainingCard}.`}

## Use

    npx armorm score --model . conversations.jsonl

${pythonLines(className)}

${bosLines(chat?.bos ?? null)}The keys under \`armorm\` in config.json hold what the published class does not know: sources and scales of the
objectives, the margin scale, and how conversations were tokenized. armorm restores them; the class ignores them.

## Licence

${licenceLines(facts)}
`;
}

function pythonLines(className: string): string {
  if (className !== OFFICIAL_CLASS) {
    return `No Python class of the name \`${className}\` has been published; one that follows ${OFFICIAL_CLASS} on another backbone reads
these tensors under these names.`;
  }
  return `In Python: put \`modeling_custom.py\` of RLHFlow/ArmoRM-Llama3-8B-v0.1 beside config.json, add
\`"auto_map": {"AutoModelForSequenceClassification": "modeling_custom.${className}"}\` to config.json, and load with
\`trust_remote_code=True\`. The class looks for the token pattern of Llama 3 to find the gating token.`;
}

function bosLines(bos: "on" | "off" | null): string {
  if (bos === null) return "";
  const how =
    bos === "on"
      ? "begin with BOS, once"
      : 'begin without BOS: in Python, `.replace(tokenizer.bos_token, "")` on the rendered text, and `add_special_tokens=False`';
  return `Conversations ${how}.\n\n`;
}

function licenceLines({ licence, duties, hasLicenceText }: ExportFacts): string {
  if (licence === null) {
    return "The backbone's directory names no licence. Find it out before you pass this checkpoint on: it holds for what is made from it.";
  }
  const lines = [`The backbone's licence, ${licence}, holds for what is made from it.`];
  if (duties?.namePrefix) {
    lines.push(`It asks that the name of a model that is made available begins with “${duties.namePrefix}”.`);
  }
  if (duties) lines.push("Its notice is in NOTICE.");
  if (!hasLicenceText)
    lines.push("Its text was not beside the backbone: add a copy before you pass this checkpoint on.");
  return lines.join(" ");
}
