import { type Html, html } from "./html.ts";
import { integer, isNumber } from "./numbers.ts";
import type { ReportData } from "./report-data.ts";
import { tiles } from "./tiles.ts";

/** The title, what the model is in one line, and the figures to see first. */
export function summary(data: ReportData): Html {
  const { title, model, training } = data;
  const K = model?.heads.objectives.length ?? training?.objectives.length;
  const parts = [
    K !== undefined && `${integer(K)} objective${K === 1 ? "" : "s"}`,
    model && `backbone ${model.backbone.location}, ${integer(model.heads.hiddenSize)} wide`,
    training &&
      `${integer(training.rows.ratings.used)} ratings and ${integer(training.rows.pairs.used)} pairs`,
    model && isNumber(model.trainingPrompts) && `${integer(model.trainingPrompts)} prompts seen in training`,
  ].filter((part) => typeof part === "string");
  return html`<header><p class="kind">Reward model report</p><h1>${title}</h1><p>${parts.join(" · ")}</p></header>
<div class="tiles">${tiles(data)}</div>`;
}
