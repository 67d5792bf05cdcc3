import { type AccuracySet, evaluationAccuracies, validationAccuracies } from "./accuracy.ts";
import { calibrationError } from "./calibration.ts";
import { type Content, type Html, html } from "./html.ts";
import { fixed, integer, isNumber, percent } from "./numbers.ts";
import type { ReportData, StoredTraining } from "./report-data.ts";
import { section } from "./section.ts";

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

function tiles({ evaluations = [], training }: ReportData): Content[] {
  const validation = training && validationAccuracies(training);
  const set = evaluations[0] ? evaluationAccuracies(evaluations[0]) : validation;
  const bins = evaluations[0] ? evaluations[0].evaluation.calibration?.bins : training?.calibration;
  return [
    set && accuracyTile(set),
    set && lengthTile(set),
    training && fitTile(training),
    training && debiasTile(training),
    bins &&
      bins.length > 0 &&
      tile("calibration error", percent(calibrationError(bins)), `of σ(β · margin), ${set?.name ?? ""}`),
  ];
}

function tile(name: string, figure: string, about: string): Html {
  return html`<div class="tile"><p class="name">${name}</p><p class="figure">${figure}</p><p class="about">${about}</p></div>`;
}

function accuracyTile({ name, model }: AccuracySet): Html {
  const [low, high] = model.interval;
  const about = `95 %: ${fixed(100 * low, 1)} … ${fixed(100 * high, 1)}, ${name}`;
  return tile("accuracy", percent(model.accuracy), about);
}

function lengthTile({ baselines }: AccuracySet): Html | null {
  const rules = ["prefer the longer", "prefer the shorter"].flatMap((rule) => {
    const accuracy = baselines[rule]?.accuracy;
    return isNumber(accuracy) ? [{ rule, accuracy }] : [];
  });
  const best = rules.sort((a, b) => b.accuracy - a.accuracy)[0];
  return best ? tile("length alone", percent(best.accuracy), `“${best.rule}”, same pairs`) : null;
}

function fitTile({ objectives }: StoredTraining): Html | null {
  const r2 = objectives.map((fit) => fit.r2).filter(isNumber);
  const sorted = r2.sort((a, b) => a - b);
  if (sorted.length === 0) return null;
  const middle = (sorted[Math.floor((sorted.length - 1) / 2)]! + sorted[Math.floor(sorted.length / 2)]!) / 2;
  const about = `median of ${sorted.length} objectives, ${fixed(sorted[0], 2)} … ${fixed(sorted.at(-1), 2)}`;
  return tile("R²", fixed(middle, 2), about);
}

function debiasTile({ debias, transform }: StoredTraining): Html | null {
  const rows = transform.filter(({ status }) => status !== "target");
  const mean = (values: readonly (number | undefined)[]) => {
    const known = values.filter(isNumber);
    return known.reduce((sum, value) => sum + Math.abs(value), 0) / known.length;
  };
  const before = mean(rows.map((row) => row.heldOutBefore[0]));
  const after = mean(rows.map((row) => row.heldOutAfter[0]));
  if (!isNumber(before) || !isNumber(after)) return null;
  return tile(
    `|ρ| with ${debias[0]}`,
    `${fixed(before, 2)} → ${fixed(after, 2)}`,
    "mean over objectives, held out",
  );
}

/** Everything that decides a training run, for whoever wants to repeat it. */
export function settingsSection({ model, training }: ReportData): Html | null {
  const facts: (readonly [string, Content])[] = [];
  if (model) {
    const { heads, backbone, trainingPrompts } = model;
    facts.push(["backbone", html`${backbone.location} <code>${backbone.fingerprint?.slice(0, 16)}</code>`]);
    if (heads.gate) {
      const layers = [heads.hiddenSize, ...heads.gate.layers.map(({ outputs }) => outputs)].join(" → ");
      facts.push(["gate", `${layers}, temperature ${heads.gate.temperature}`]);
    }
    facts.push(
      ["margin scale β", heads.marginScale === null ? "none" : fixed(heads.marginScale, 3)],
      ["prompts seen in training", trainingPrompts === null ? "unknown" : integer(trainingPrompts)],
    );
  }
  if (training) {
    for (const kind of ["ratings", "pairs"] as const) {
      const { used, test, overlaps, dropped } = training.rows[kind];
      const text = `${integer(used)} used, ${integer(test)} kept for testing, ${integer(overlaps)} sharing a prompt with evaluation sets (${integer(dropped)} dropped)`;
      facts.push([kind, text]);
    }
    facts.push(
      ["options", optionList(training.options)],
      ["gate training", optionList({ ...training.history.options })],
    );
  }
  if (facts.length === 0) return null;
  const rows = facts.map(([name, value]) => html`<tr><th>${name}</th><td>${value}</td></tr>`);
  return section(
    "settings",
    "Model and data",
    "What the model is and what decided it.",
    html`<table class="facts">${rows}</table>`,
  );
}

function optionList(options: Readonly<Record<string, unknown>>): string {
  // Null: not chosen, or for the patience of gate training never.
  const show = (value: unknown) =>
    typeof value === "string" ? value : value === null ? "–" : JSON.stringify(value);
  return Object.entries(options)
    .map(([name, value]) => `${name} ${show(value)}`)
    .join(", ");
}
