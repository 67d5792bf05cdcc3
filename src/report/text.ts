// Texts as the report prints them.

/** A text of at most `length` characters. */
export const shorten = (text: string, length: number): string =>
  text.length <= length ? text : `${text.slice(0, length - 1).trimEnd()}…`;

/** What was asked: text, or the last of several messages. */
export const lastText = (prompt: string | readonly { readonly content: string }[]): string =>
  typeof prompt === "string" ? prompt : (prompt.at(-1)?.content ?? "");
