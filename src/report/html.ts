/** Markup that is safe to put into a page as it is. Made by `html` alone. */
export class Html {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  toString(): string {
    return this.text;
  }
}

/** What `html` takes: markup, text to be escaped, lists of both; null, undefined and false leave nothing behind. */
export type Content = Html | string | number | null | undefined | false | readonly Content[];

/**
 * Markup from a template. Everything put into it is escaped, in text and in quoted attributes, unless it is markup itself.
 *
 * @example
 * html`<p title="${'"'}">${"<b>"}</p>`.text; // <p title="&quot;">&lt;b&gt;</p>
 */
export function html(strings: TemplateStringsArray, ...values: readonly Content[]): Html {
  return new Html(strings.map((part, i) => part + (i < values.length ? render(values[i]) : "")).join(""));
}

function render(content: Content): string {
  if (content instanceof Html) return content.text;
  if (Array.isArray(content)) return content.map(render).join("");
  if (content === null || content === undefined || content === false) return "";
  return escapeHtml(String(content));
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character]!);
}
