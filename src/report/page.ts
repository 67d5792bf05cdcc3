import { type Content, html } from "./html.ts";
import { STYLE } from "./style.ts";

/** A whole page: it loads nothing, follows the reader's light or dark scheme, and prints. */
export function page(title: string, body: Content): string {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title} · armorm report</title>
${STYLE}
</head>
<body>
<main>
${body}
<footer>Written by armorm. Scores are real numbers, not probabilities: compare scores of responses to one prompt only.</footer>
</main>
</body>
</html>
`.text;
}
