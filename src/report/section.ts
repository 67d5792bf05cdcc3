import { type Content, type Html, html } from "./html.ts";

/** A part of the report: a heading, a sentence that says how to read it, and what it shows. */
export function section(id: string, title: string, lead: Content, body: Content): Html {
  return html`<section id="${id}">
<h2>${title}</h2>
<p class="lead">${lead}</p>
${body}
</section>`;
}
