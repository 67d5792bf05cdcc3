// The server's log: a line of JSON per event on stderr, or a readable one on a terminal.

import pc from "picocolors";
import { pino } from "pino";
import type { Logger } from "./app.ts";

/** @param readable Default: whether stderr is a terminal. */
export function createLog(readable: boolean = process.stderr.isTTY ?? false): Logger {
  const options = {
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  // Written at once: what is said last, before the process ends, is what one wants to read.
  if (!readable) return pino(options, pino.destination({ dest: 2, sync: true }));
  return pino(options, {
    write: (line: string) => process.stderr.write(`${readableLine(JSON.parse(line))}\n`),
  });
}

const COLOURS: Readonly<Record<string, (text: string) => string>> = { warn: pc.yellow, error: pc.red };

/** `17:03:12 answered  route=/v1/score status=200 seconds=0.021` */
export function readableLine({ level, time, msg, ...fields }: Record<string, unknown>): string {
  const clock = pc.dim(String(time).slice(11, 19));
  const paint = COLOURS[String(level)] ?? ((text: string) => text);
  const rest = Object.entries(fields).map(([key, value]) => {
    const text = typeof value === "number" && !Number.isInteger(value) ? value.toFixed(3) : value;
    return `${pc.dim(`${key}=`)}${typeof text === "string" ? harmless(text) : spelt(text)}`;
  });
  return [clock, paint(String(msg)), ...rest].join(" ");
}

/** Strings with spaces or control characters in quotes, so that nothing reaches the terminal but text. */
const harmless = (text: string): string => (/^[\x21-\x7e]+$/.test(text) ? text : spelt(text));

/** JSON, which leaves some control characters as they are: U+009B begins a command as ESC and [ do. */
const spelt = (value: unknown): string =>
  (JSON.stringify(value) ?? "").replace(
    /[\x7f-\x9f]/g,
    (character) => `\\u00${character.charCodeAt(0).toString(16)}`,
  );
