import pc from "picocolors";

/** One JSON document on stdout, and nothing else. */
export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

/** A line for people, on stdout. */
export function print(line = ""): void {
  process.stdout.write(`${line}\n`);
}

/** A line about what is going on, on stderr. */
export function note(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** Text of messages, safe for a terminal: control characters other than line breaks and tabs are spelt out. */
export const visible = (text: string): string =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not reach the terminal
  text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, (character) => {
    return `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`;
  });

/** One line of at most `length` characters. */
export function shorten(text: string, length = 90): string {
  const line = visible(text.replace(/\s+/g, " ").trim());
  return line.length <= length ? line : `${line.slice(0, length - 1)}…`;
}

/** Words on lines of at most `width` characters, each after `indent`; numbers stay with the word before them. */
export function wrap(text: string, indent: string, width = 98): string {
  const lines: string[] = [];
  for (const word of text.split(/ (?![%+−(\d])/)) {
    const line = lines.at(-1);
    if (line !== undefined && indent.length + line.length + 1 + word.length <= width) {
      lines[lines.length - 1] = `${line} ${word}`;
    } else lines.push(word);
  }
  return lines.map((line) => `${indent}${line}`).join("\n");
}

export interface Column {
  readonly title: string;
  /** Numbers stand to the right. Default `left`. */
  readonly align?: "left" | "right";
}

/** Aligned columns, two spaces apart. Cells may hold colour codes. */
export function table(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const cells = [columns.map(({ title }) => pc.dim(title)), ...rows];
  const widths = columns.map((_, c) => Math.max(...cells.map((row) => visibleLength(row[c] ?? ""))));
  return cells
    .map((row) =>
      columns
        .map(({ align }, c) => {
          const cell = row[c] ?? "";
          const space = " ".repeat(widths[c]! - visibleLength(cell));
          return align === "right" ? space + cell : cell + space;
        })
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: colour codes begin with ESC
const COLOUR = /\u001b\[\d+m/g;
const visibleLength = (text: string): number => [...text.replace(COLOUR, "")].length;

/** `0.1234`, or `–` where there is no number. */
export function fixed(value: number | null | undefined, digits = 3): string {
  return value === null || value === undefined || Number.isNaN(value) ? "–" : value.toFixed(digits);
}

/** `63.4 %` */
export function percent(value: number | null | undefined): string {
  return value === null || value === undefined || Number.isNaN(value) ? "–" : `${(100 * value).toFixed(1)} %`;
}

/** `12,345` */
export const integer = (value: number): string => value.toLocaleString("en-US");

/** `1 row`, `1,200 rows` */
export const count = (value: number, unit: string): string =>
  `${integer(value)} ${value === 1 ? unit : `${unit}s`}`;

/** A signed bar around a middle line: `▇▇▇▇|` or `    |▇▇`. `value` is in −1 … 1. */
export function bar(value: number, width = 12): string {
  const length = Math.min(width, Math.round(Math.abs(value) * width));
  const blocks = "▇".repeat(length);
  return value < 0
    ? `${" ".repeat(width - length)}${pc.red(blocks)}│${" ".repeat(width)}`
    : `${" ".repeat(width)}│${pc.green(blocks)}${" ".repeat(width - length)}`;
}
