// What is odd about rows that can be used all the same: nothing that is refused, but nothing to be passed over in silence.

import type { BestOfNRow, PreferencePair, RatedConversation } from "./records.ts";
import { openRepeatedIds } from "./repeated-ids.ts";

type Usable = RatedConversation | PreferencePair | BestOfNRow;

/** Rows of one oddity. */
export interface Doubt {
  /** `rows with an empty response` */
  readonly what: string;
  readonly rows: number;
  /** Of the first of them: where it stands, and what it has. */
  readonly first: string;
}

/** Rows looked at so far. Memory: what `openRepeatedIds` keeps of their ids, up to 22 bytes each and 1 GiB in all. */
export interface Doubts {
  /** What is odd about a row, in one line: `ratings.jsonl: row 3: empty response`; null for nothing. @param row Counted from 0. */
  look(record: Usable, row: number): string | null;
  found(): readonly Doubt[];
}

const OF = {
  id: "with the id of an earlier one",
  turns: "with turns that do not alternate",
  empty: "with an empty response",
} as const;

/** Looks for repeated ids (within a source), turns that do not alternate, and empty responses. */
export function openDoubts(): Doubts {
  const ids = openRepeatedIds();
  const counts = new Map<keyof typeof OF, { rows: number; first: string }>();
  return {
    look(record, row) {
      const { id, source } = record;
      let odd: string | null = null;
      const doubt = (kind: keyof typeof OF, what: string) => {
        const line = `${source}: row ${row}${id === null ? "" : ` (id ${JSON.stringify(id)})`}: ${what}`;
        const known = counts.get(kind);
        if (known) known.rows++;
        else counts.set(kind, { rows: 1, first: line });
        odd ??= line;
      };
      if (id !== null) {
        if (ids.isRepeated(JSON.stringify([source, id])))
          doubt("id", "expected an id of its own, got that of an earlier row");
      }
      const twice = spokenTwice(rolesOf(record));
      if (twice !== null) doubt("turns", `expected turns that alternate, got two of the ${twice} in a row`);
      if (responsesOf(record).some((text) => text.trim() === ""))
        doubt("empty", "expected a response with text, got an empty one");
      return odd;
    },
    found: () => [...counts].map(([kind, { rows, first }]) => ({ what: `rows ${OF[kind]}`, rows, first })),
  };
}

const rolesOf = (record: Usable): string[] =>
  record.kind === "rating"
    ? record.messages.map(({ role }) => role)
    : [...record.prompt.map(({ role }) => role), "assistant"];

function responsesOf(record: Usable): readonly string[] {
  if (record.kind === "rating") return record.messages.slice(-1).map(({ content }) => content);
  return record.kind === "pair" ? [record.chosen, record.rejected] : record.responses;
}

/** Who speaks twice in a row; null where turns alternate. */
export function spokenTwice(roles: readonly string[]): string | null {
  const twice = roles.find(
    (role, i) => i > 0 && role === roles[i - 1] && (role === "user" || role === "assistant"),
  );
  return twice ?? null;
}
