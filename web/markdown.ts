// The markdown that model cards are written in, as blocks. No HTML: what looks like it stays text.

export type Block =
  | { readonly kind: "heading"; readonly level: number; readonly text: string }
  | { readonly kind: "paragraph"; readonly text: string }
  | { readonly kind: "list"; readonly ordered: boolean; readonly items: readonly string[] }
  | {
      readonly kind: "table";
      readonly head: readonly string[];
      readonly rows: readonly (readonly string[])[];
    }
  | { readonly kind: "code"; readonly text: string };

export type Span =
  | { readonly kind: "text" | "code" | "strong"; readonly text: string }
  | { readonly kind: "link"; readonly text: string; readonly href: string };

const LIST = /^\s*(?:[-*+]|(\d+)[.)])\s+/;
const RULE = /^\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*$/;

/** Cuts a text into blocks. Whatever it does not know comes out as a paragraph: nothing is lost. */
export function parseBlocks(markdown: string): Block[] {
  const lines = markdown.replace(/\r\n?/g, "\n").split("\n");
  const blocks: Block[] = [];
  let i = 0;
  const takeWhile = (wanted: (line: string) => boolean): string[] => {
    const from = i;
    while (i < lines.length && wanted(lines[i]!)) i++;
    return lines.slice(from, i);
  };
  if (lines[0] === "---" && lines.indexOf("---", 1) > 0) {
    i = 1;
    blocks.push({ kind: "code", text: takeWhile((line) => line !== "---").join("\n") });
    i++;
  }
  while (i < lines.length) {
    const line = lines[i]!;
    const heading = /^(#{1,6})\s+([\s\S]*)$/.exec(line);
    if (line.trim() === "") i++;
    else if (heading) {
      blocks.push({ kind: "heading", level: heading[1]!.length, text: heading[2]! });
      i++;
    } else if (line.startsWith("```")) {
      i++;
      blocks.push({ kind: "code", text: takeWhile((other) => !other.startsWith("```")).join("\n") });
      i++;
    } else if (line.includes("|") && RULE.test(lines[i + 1] ?? "") && lines[i + 1]!.includes("-")) {
      const [head, , ...rows] = takeWhile((other) => other.includes("|")).map(cellsOf);
      blocks.push({ kind: "table", head: head!, rows });
    } else if (LIST.test(line)) {
      const ordered = LIST.exec(line)![1] !== undefined;
      const items: string[] = [];
      // A line that begins no item goes on with the last one.
      for (const item of takeWhile((other) => other.trim() !== "" && !other.startsWith("#"))) {
        if (LIST.test(item)) items.push(item.replace(LIST, ""));
        else items.push(`${items.pop()} ${item.trim()}`);
      }
      blocks.push({ kind: "list", ordered, items });
    } else {
      i++;
      const more = takeWhile((other) => other.trim() !== "" && !/^(#{1,6}\s|```)/.test(other));
      blocks.push({ kind: "paragraph", text: [line, ...more].join(" ") });
    }
  }
  return blocks;
}

/** Cuts a line into code, bold, links to the web, and text. */
export function parseSpans(text: string): Span[] {
  const spans: Span[] = [];
  let from = 0;
  for (const match of text.matchAll(/`([^`]+)`|\*\*(.+?)\*\*|\[([^\]]+)\]\((https?:\/\/[^\s)]+)\)/g)) {
    if (match.index > from) spans.push({ kind: "text", text: text.slice(from, match.index) });
    const [whole, code, strong, label, href] = match;
    if (code !== undefined) spans.push({ kind: "code", text: code });
    else if (strong !== undefined) spans.push({ kind: "strong", text: strong });
    else spans.push({ kind: "link", text: label!, href: href! });
    from = match.index + whole.length;
  }
  if (from < text.length) spans.push({ kind: "text", text: text.slice(from) });
  return spans;
}

/** What a card says under a heading that `wanted` matches, down to the next heading as high. */
export function sectionOf(blocks: readonly Block[], wanted: RegExp): readonly Block[] {
  const start = blocks.findIndex((block) => block.kind === "heading" && wanted.test(block.text));
  if (start < 0) return [];
  const { level } = blocks[start] as Extract<Block, { kind: "heading" }>;
  const after = blocks.slice(start + 1);
  const end = after.findIndex((block) => block.kind === "heading" && block.level <= level);
  return end < 0 ? after : after.slice(0, end);
}

const cellsOf = (line: string): string[] =>
  line
    .trim()
    .replace(/^\||\|$/g, "")
    .split("|")
    .map((cell) => cell.trim());
