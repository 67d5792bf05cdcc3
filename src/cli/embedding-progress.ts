// What embedding costs and how far it is, on stderr.

import type { EmbedOptions } from "../embedding/embed.ts";
import type { EmbedPlan } from "../embedding/plan.ts";
import { formatNotes } from "./data-options.ts";
import { integer, note } from "./output.ts";
import { formatRate, formatSeconds, startProgress } from "./progress.ts";

/** The time left is worth saying once the rate has been measured over this time. */
const MEASURED_S = 5;

/** Follows one embedding set. `json`: nothing is said about formats. */
export function watchEmbedding(flags: { readonly json?: boolean }) {
  const progress = startProgress("embedding", "rows");
  let tokens = 0;
  let left = 0;
  let planned = performance.now();
  let said = false;
  const hooks: Pick<EmbedOptions, "onFormat" | "onPlan" | "onProgress"> = {
    ...formatNotes(flags),
    onPlan: (plan) => {
      planned = performance.now();
      left = plan.tokens * (1 - plan.rowsDone / plan.rows);
      note(describePlan(plan));
      progress.update(plan.rowsDone, plan.rows);
    },
    onProgress: (at) => {
      tokens = at.tokens;
      progress.update(at.rows, at.totalRows);
      const measured = (performance.now() - planned) / 1000;
      if (said || measured < MEASURED_S) return;
      said = true;
      const rate = at.tokens / measured;
      if (!process.stderr.isTTY)
        note(`about ${formatSeconds((left - at.tokens) / rate)} left at ${formatRate(rate)} tokens/s`);
    },
  };
  return {
    hooks,
    /** Embedded so far. */
    tokens: () => tokens,
    stop: () => progress.stop(),
  };
}

/** `embedding 12,000 rows: about 3,400,000 tokens, 2 parts, 197 MB` */
function describePlan({ rows, tokens, parts, partsDone, bytes }: EmbedPlan): string {
  const size = bytes < 1e9 ? `${Math.ceil(bytes / 1e6)} MB` : `${(bytes / 1e9).toFixed(1)} GB`;
  const begun = partsDone === 0 ? "" : `, ${integer(partsDone)} of them there already`;
  const count = `${integer(parts)} ${parts === 1 ? "part" : "parts"}${begun}`;
  return `embedding ${integer(rows)} rows: about ${integer(Number(tokens.toPrecision(2)))} tokens, ${count}, ${size}`;
}
