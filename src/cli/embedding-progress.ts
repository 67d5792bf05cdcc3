// What embedding costs and how far it is, on stderr.

import type { EmbedOptions, EmbedProgress } from "../embedding/embed.ts";
import type { EmbedTiming } from "../embedding/embed-timing.ts";
import type { EmbedPlan } from "../embedding/plan.ts";
import { type Shard, showShard } from "../embedding/shard.ts";
import { formatNotes } from "./data-options.ts";
import { integer, note } from "./output.ts";
import { formatRate, formatSeconds, startProgress } from "./progress.ts";

/** The time left is worth saying once the rate has been measured over this time. */
const MEASURED_S = 5;

/** Follows one embedding set, or a shard of it. `json`: nothing is said about formats. */
export function watchEmbedding(flags: { readonly json?: boolean }, shard?: Shard) {
  let toCompute = 0; // tokens
  let begun: Measured | null = null;
  let now: Measured | null = null;
  let said = false;
  let timing: EmbedTiming | null = null;
  const speed = (separator: string, left: (time: string) => string): string => {
    if (begun === null || now === null || now.at <= begun.at) return "";
    const seconds = (now.at - begun.at) / 1000;
    const tokensPerSecond = (now.tokens - begun.tokens) / seconds;
    return [
      `${formatRate((now.conversations - begun.conversations) / seconds)} conversations/s`,
      `${formatRate(tokensPerSecond)} tokens/s`,
      left(formatSeconds(Math.max(0, toCompute - now.tokens) / tokensPerSecond)),
    ].join(separator);
  };
  const progress = startProgress("embedding", "rows", false, () => speed("  ", (time) => `${time} left`));
  const hooks: Pick<EmbedOptions, "onFormat" | "onPlan" | "onProgress" | "onTiming" | "onDoubts"> = {
    ...formatNotes(flags),
    onDoubts: (doubts) => {
      for (const { what, rows, first } of doubts)
        note(`${integer(rows)} ${what}, embedded all the same (the first: ${first})`);
    },
    onPlan: (plan) => {
      toCompute = plan.rows === 0 ? 0 : plan.tokens * (1 - plan.rowsDone / plan.rows);
      note(describePlan(plan, shard));
      progress.update(plan.rowsDone, plan.rows);
    },
    onProgress: (at) => {
      now = { ...at, at: performance.now() };
      // The first part was read and tokenized before: only what comes after the first report tells the rate.
      begun ??= now;
      progress.update(at.rows, at.totalRows);
      if (said || now.at - begun.at < 1000 * MEASURED_S) return;
      said = true;
      if (!process.stderr.isTTY) note(speed(", ", (time) => `about ${time} left`));
    },
    onTiming: (taken) => {
      timing = taken;
    },
  };
  return {
    hooks,
    /** What it took, once it is done; null where nothing had to be computed. */
    timing: (): EmbedTiming | null => (timing !== null && timing.tokens > 0 ? timing : null),
    stop: () => progress.stop(),
  };
}

interface Measured extends EmbedProgress {
  /** Milliseconds, on the clock of `performance.now`. */
  readonly at: number;
}

/** `3,400,000 tokens in 12 min 20 s: backbone 96 % of the time, 9.7 conversations/s, 4,600 tokens/s` */
export function describeTiming({ seconds, backboneSeconds, conversations, tokens }: EmbedTiming): string {
  const share = `backbone ${Math.floor((100 * backboneSeconds) / seconds)} % of the time`;
  const rates = `${formatRate(conversations / seconds)} conversations/s, ${formatRate(tokens / seconds)} tokens/s`;
  return `${integer(tokens)} tokens in ${formatSeconds(seconds)}: ${share}, ${rates}`;
}

/** The same for `--json`. */
export function timingFields(timing: EmbedTiming) {
  const { seconds, backboneSeconds, conversations, tokens } = timing;
  return {
    ...timing,
    backboneShare: backboneSeconds / seconds,
    conversationsPerSecond: conversations / seconds,
    tokensPerSecond: tokens / seconds,
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
