import { letter } from "../src/scoring/explanation.ts";

/** The letter of an answer; the best one stands out. */
export const Badge = ({ index, best = false }: { readonly index: number; readonly best?: boolean }) => (
  <span class={best ? "badge best" : "badge"}>{letter(index)}</span>
);
