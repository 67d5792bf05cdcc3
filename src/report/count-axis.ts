import { type Html, html } from "./html.ts";
import { integer } from "./numbers.ts";
import { at, type Scale, ticks } from "./scale.ts";

/** Lines and figures of an axis of counts, from 0 to the domain's end; whole numbers only. */
export function countAxis(y: Scale, left: number, right: number): Html[] {
  return ticks(y.domain, 4)
    .filter(Number.isInteger)
    .map(
      (count) => html`<path class="grid" d="M${left} ${at(y(count))}H${right}"/>
<text x="${left - 8}" y="${at(y(count) + 4)}" text-anchor="end">${integer(count)}</text>`,
    );
}
