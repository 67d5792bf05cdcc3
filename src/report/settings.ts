import { type Content, type Html, html } from "./html.ts";
import { fixed, integer } from "./numbers.ts";
import type { ReportData } from "./report-data.ts";
import { section } from "./section.ts";

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
