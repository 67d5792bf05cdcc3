import { type Content, type Html, html } from "./html.ts";

/** A part of the report: a heading, a sentence that says how to read it, and what it shows. */
export function section(id: string, title: string, lead: Content, body: Content): Html {
  return html`<section id="${id}">
<h2>${title}</h2>
<p class="lead">${lead}</p>
${body}
</section>`;
}

/** What a reader opens to see, as long tables and texts; on paper it is open. */
export function details(summary: Content, body: Content): Html {
  return html`<details><summary>${summary}</summary>
${body}
</details>`;
}

/** Blocks side by side where there is room. A single one takes the width that it needs. */
export const columns = (blocks: readonly Content[]): Html =>
  html`<div class="columns">${blocks.map((block) => block && html`<div>${block}</div>`)}</div>`;
