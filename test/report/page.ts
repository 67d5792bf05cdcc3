/** The ids of a page's sections, in order. */
export const sectionsOf = (page: string) =>
  [...page.matchAll(/<section id="(\w+)">/g)].map((match) => match[1]);

/** The words of a page, as a reader sees them. */
export const wordsOf = (page: string) =>
  page
    .replace(/<style>.*?<\/style>/s, "")
    .replace(/<[^>]*>/g, " ")
    .replace(/\s+/g, " ");

/** One section's markup. */
export const sectionOf = (page: string, id: string): string => {
  const start = page.indexOf(`<section id="${id}">`);
  return start < 0 ? "" : page.slice(start, page.indexOf("</section>", start));
};
