import { basename } from "node:path";
import type { TrainedModel } from "./model-directory.ts";
import type { SetReference, TrainingReport } from "./training-report.ts";

/**
 * A model card: what the model is, what it was trained on, how well it does, its limits, whose licence it is under.
 *
 * @param licence What the backbone's own card says, or null.
 */
export function modelCard(
  { heads, backbone, report, trainingKeys }: TrainedModel,
  licence: string | null,
): string {
  const K = heads.objectives.length;
  const share = (value: number) => (Number.isNaN(value) ? "–" : `${(100 * value).toFixed(1)} %`);
  const number = (value: number | undefined, digits: number) =>
    value === undefined || Number.isNaN(value) ? "–" : value.toFixed(digits);
  const objectives = heads.objectives.map(({ name, source, scale }, k) => {
    const { trainRows, validationError, r2 } = report.objectives[k]!;
    const { heldOutBefore, heldOutAfter, status } = report.transform[k]!;
    const rating = scale ? `reward · ${+scale.multiply.toFixed(4)} + ${+scale.add.toFixed(4)}` : "–";
    const rho = status === "target" ? "–" : `${number(heldOutBefore[0], 2)} → ${number(heldOutAfter[0], 2)}`;
    return `| ${name} | ${source ?? "–"} | ${trainRows} | ${number(validationError, 4)} | ${number(r2, 2)} | ${rho} | ${rating} |`;
  });
  const accuracies = Object.entries(report.accuracy).map(
    ([name, accuracy]) => `| ${name} | ${share(accuracy)} |`,
  );
  const debiased = report.debias.length === 0 ? "nothing" : report.debias.join(", ");
  return `---
library_name: armorm
tags: [reward-model, armorm]
---
# An ArmoRM with ${K} objectives

Scores a conversation as Σ coefficient · reward over ${K} objectives; the coefficients depend on the prompt alone.
Method: arXiv:2406.12845. These are heads; the backbone is \`${backbone.location}\`
(fingerprint \`${backbone.fingerprint?.slice(0, 16) ?? "unknown"}\`). Its licence, ${licence ?? "which its directory does not name"}, holds for what
is made from it.

| objective | source | ratings | error | R² | ρ with ${report.debias[0] ?? "–"}, held out | rating |
|---|---|---|---|---|---|---|
${objectives.join("\n")}

Error: mean squared error on validation prompts, on the scale of rewards. ρ: ${report.correlation === "pearson" ? "Pearson" : "Spearman"}'s correlation over responses to validation
prompts, raw → debiased. Debiased against: ${debiased}.
${report.dropped.map(({ name, reason, remedy }) => `\nNot fitted: ${name} (${reason}: ${remedy}).`).join("")}

| on ${report.validationPairs} validation pairs, the preferred response wins by | accuracy |
|---|---|
${accuracies.join("\n")}

## Data

${dataLines(report)}
Trained on ${report.rows.ratings.used} ratings and ${report.rows.pairs.used} pairs ${
    trainingKeys === null
      ? "whose texts are not known: embeddings were imported"
      : `with ${trainingKeys.length} prompts, whose\nhashes are in \`training-prompts.safetensors\``
  }.

## Limits

- A score is a real number, not a probability; compare scores of responses to one prompt only.
- The validation prompts chose the penalties and stopped the gate, so the figures above flatter a little; measure on other prompts
  (\`armorm evaluate pairs --drop-overlaps\`).${refitted(report) ? " With `--refit` the rewards were fitted to their ratings, too." : ""}
- An objective with a small R² says little about single responses, and debiasing makes it no better.
- Rewards are predictions of what the raters of these data would have said, of conversations like theirs.
`;
}

const refitted = ({ options: { regression } }: TrainingReport): boolean =>
  (regression as { refit?: boolean } | undefined)?.refit === true;

function dataLines({ sets }: TrainingReport): string {
  const line = (what: string, { directory, rows, run }: SetReference) =>
    `- ${what}: \`${basename(directory)}\`, ${rows} rows (run \`${run.slice(0, 12)}\`)\n`;
  return Object.entries(sets)
    .flatMap(([what, list]) => list.map((set) => line(what, set)))
    .join("");
}
