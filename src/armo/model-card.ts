import type { TrainedModel } from "./model-directory.ts";

/** A model card: what the model is, what it was trained on, how well it does, whose licence it is under. */
export function modelCard({ heads, backbone, report, trainingKeys }: TrainedModel): string {
  const K = heads.objectives.length;
  const share = (value: number) => (Number.isNaN(value) ? "–" : `${(100 * value).toFixed(1)} %`);
  const number = (value: number | undefined, digits: number) =>
    value === undefined || Number.isNaN(value) ? "–" : value.toFixed(digits);
  const objectives = heads.objectives.map(({ name, source, scale }, k) => {
    const { trainRows, validationError, r2 } = report.objectives[k]!;
    const { before, heldOutAfter, status } = report.transform[k]!;
    const rating = scale ? `reward · ${+scale.multiply.toFixed(4)} + ${+scale.add.toFixed(4)}` : "–";
    const rho = status === "target" ? "–" : `${number(before[0], 2)} → ${number(heldOutAfter[0], 2)}`;
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
(fingerprint \`${backbone.fingerprint?.slice(0, 16) ?? "unknown"}\`), **and its licence holds for what is made from it**.

| objective | source | ratings | error | R² | correlation with length, raw → debiased, held out | rating |
|---|---|---|---|---|---|---|
${objectives.join("\n")}

Error: mean squared error on validation prompts, on the scale of rewards. Debiased against: ${debiased}.
${report.dropped.map(({ name, reason }) => `\nNot fitted: ${name} (${reason}).`).join("")}

| on ${report.validationPairs} validation pairs, the preferred response wins by | accuracy |
|---|---|
${accuracies.join("\n")}

Trained on ${report.rows.ratings.used} ratings and ${report.rows.pairs.used} pairs with ${trainingKeys.length} prompts, whose
hashes are in \`training-prompts.safetensors\`. A score is a real number; compare scores of responses to one prompt only.
`;
}
