// What embedding costs and how far it is, on stderr.

import type { EmbedOptions } from "../embedding/embed.ts";
import type { EmbedPlan } from "../embedding/plan.ts";
import { type Shard, showShard } from "../embedding/shard.ts";
import { formatNotes } from "./data-options.ts";
import { integer, note } from "./output.ts";
import { formatRate, formatSeconds, startProgress } from "./progress.ts";

/** The time left is worth saying once the rate has been measured over this time. */
const MEASURED_S = 5;

/** Follows one embedding set, or a shard of it. `json`: nothing is said about formats. */
export function watchEmbedding(flags: { readonly json?: boolean }, shard?: Shard) {
  const progress = startProgress("embedding", "rows");
  let tokens = 0;
  let left = 0;
  let begun: { at: number; tokens: number } | null = null;
  let said = false;
  const hooks: Pick<EmbedOptions, "onFormat" | "onPlan" | "onProgress" | "onDoubts"> = {
    ...formatNotes(flags),
    onDoubts: (doubts) => {
      for (const { what, rows, first } of doubts)
        note(`${integer(rows)} ${what}, embedded all the same (the first: ${first})`);
    },
    onPlan: (plan) => {
      left = plan.rows === 0 ? 0 : plan.tokens * (1 - plan.rowsDone / plan.rows);
      note(describePlan(plan, shard));
      progress.update(plan.rowsDone, plan.rows);
    },
    onProgress: (at) => {
      tokens = at.tokens;
      progress.update(at.rows, at.totalRows);
      // The first part was read and tokenized before: only what comes after the first report tells the rate.
      begun ??= { at: performance.now(), tokens: at.tokens };
      const measured = (performance.now() - begun.at) / 1000;
      if (said || measured < MEASURED_S) return;
      said = true;
      const rate = (at.tokens - begun.tokens) / measured;
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
function describePlan({ rows, tokens, parts, partsDone, bytes }: EmbedPlan, shard?: Shard): string {
  const size = bytes < 1e9 ? `${Math.ceil(bytes / 1e6)} MB` : `${(bytes / 1e9).toFixed(1)} GB`;
  const begun = partsDone === 0 ? "" : `, ${integer(partsDone)} of them there already`;
  const count = `${integer(parts)} ${parts === 1 ? "part" : "parts"}${begun}`;
  const which = shard === undefined ? "" : `shard ${showShard(shard)}: `;
  if (parts === 0) return `${which}no part is left for it: there are more shards than parts`;
  return `${which}embedding ${integer(rows)} rows: about ${integer(Number(tokens.toPrecision(2)))} tokens, ${count}, ${size}`;
}
