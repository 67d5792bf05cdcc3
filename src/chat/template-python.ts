// Chat templates are written for Python's Jinja. What the interpreter does as JavaScript does it, or without a bound on
// the result, is turned into calls of the functions below when a template is parsed.

import { pythonLeftStrip, pythonRightStrip, pythonStrip } from "./python-strip.ts";
import type { NodeCosts, RuntimeValue, TemplateLimits } from "./template-limits.ts";

interface Node {
  type: string;
  [field: string]: unknown;
}

const FILTERS: Record<string, string> = {
  trim: "python strip",
  replace: "python replace",
  join: "python join",
};
const METHODS: Record<string, string> = {
  strip: "python strip",
  lstrip: "python lstrip",
  rstrip: "python rstrip",
  replace: "python replace",
};
/** Arguments that say how many spaces to write. */
const WIDTHS: Record<string, string> = { indent: "width", tojson: "indent" };
const MAX_WIDTH = 64;
/** The interpreter lacks the test `ne`. */
const OPPOSITES: Record<string, string> = { selectattr: "rejectattr", rejectattr: "selectattr" };

/**
 * Prepares a parsed template in place: rewrites what must follow Python, and notes costs that evaluation cannot see.
 *
 * `trim` is followed as filter, as filter block and in `map('trim')`; `strip`, `lstrip` and `rstrip` as methods; `replace`
 * and `join` give the same as Python, `join` with `attribute` too.
 *
 * @returns The number of nodes.
 */
export function prepareTemplate(node: unknown, costs: NodeCosts): number {
  if (typeof node !== "object" || node === null) return 0;
  const children = node instanceof Map ? [...node.keys(), ...node.values()] : Object.values(node);
  const nodes = children.reduce<number>((sum, child) => sum + prepareTemplate(child, costs), 1);
  const { type } = node as Node;
  if (type === "For") {
    const iterable = (node as Node).iterable as Node;
    costs.walked.add(iterable.type === "SelectExpression" ? iterable.lhs : iterable);
  } else if (type === "MemberExpression") {
    const { object, property } = node as Node & { property: Node };
    if (property.type === "SliceExpression") costs.walked.add(object);
  } else if (type === "Macro" || type === "CallStatement") {
    // Their bodies are searched for names each time.
    costs.steps.set(node, nodes >> 2);
  } else if (type === "FilterExpression" || type === "FilterStatement") {
    prepareFilter(node as Node);
  } else if (type === "CallExpression") {
    const callee = (node as Node).callee as Node;
    if (callee.type !== "MemberExpression" || callee.computed === true) return nodes;
    const name = lookUp(METHODS, (callee.property as Node).value);
    if (name !== undefined) becomeCall(node as Node, name, [callee.object, ...argumentsOf(node as Node)]);
  }
  return nodes;
}

function prepareFilter(node: Node): void {
  const filter = node.filter as Node;
  const args = argumentsOf(filter);
  const name = String((filter.type === "CallExpression" ? (filter.callee as Node) : filter).value);
  const operand = node.type === "FilterStatement" ? { type: "Program", body: node.body } : node.operand;
  const call = lookUp(FILTERS, name);
  const width = lookUp(WIDTHS, name);
  const [first, ...others] = args;
  const opposite = lookUp(OPPOSITES, name);
  if (call !== undefined) {
    becomeCall(node, call, [operand, ...args]);
  } else if (name === "map" && first?.type === "StringLiteral" && first.value === "trim") {
    becomeCall(node, "python map strip", [operand, ...others]);
  } else if (opposite !== undefined && others[0]?.value === "ne") {
    (filter.callee as Node).value = opposite;
    others[0].value = "equalto";
  } else if (width !== undefined) {
    for (const [index, arg] of args.entries()) {
      if (arg.type === "KeywordArgumentExpression") {
        if ((arg.key as Node).value === width) arg.value = limitedWidth(arg.value);
      } else if (index === 0) {
        args[index] = limitedWidth(arg);
      }
    }
  }
}

function lookUp(names: Record<string, string>, name: unknown): string | undefined {
  return typeof name === "string" && Object.hasOwn(names, name) ? names[name] : undefined;
}

function argumentsOf(node: Node): Node[] {
  return node.type === "CallExpression" ? (node.args as Node[]) : [];
}

function limitedWidth(value: unknown): Node {
  const node: Node = { type: "" };
  becomeCall(node, "python width", [value]);
  return node;
}

/** Changes the node in place; the name holds a space, so no template can define or call it. */
function becomeCall(node: Node, name: string, args: unknown[]): void {
  for (const field of Object.keys(node)) delete node[field];
  Object.assign(node, { type: "CallExpression", callee: { type: "Identifier", value: name }, args });
}

/** The functions that prepared templates call. */
export function pythonFunctions({ characters: most }: TemplateLimits): Record<string, unknown> {
  const require = (length: number): void => {
    if (length > most) throw new Error(`more than ${most} characters`);
  };
  return {
    "python strip": onText(pythonStrip),
    "python lstrip": onText(pythonLeftStrip),
    "python rstrip": onText(pythonRightStrip),
    "python map strip": (values: unknown, ...args: unknown[]) =>
      elements(values).map(({ value }) => onText(pythonStrip)(value, ...args)),
    "python replace"(value: unknown, ...args: unknown[]): string {
      const { old, new: by, count } = named(args, ["old", "new", "count"]);
      if (typeof old !== "string" || typeof by !== "string") throw new Error("replace expects two texts");
      const text = pythonText(value);
      const parts = old === "" ? ["", ...text, ""] : text.split(old);
      const times = typeof count === "number" && count >= 0 ? count : Number.POSITIVE_INFINITY;
      const replaced = Math.min(times, parts.length - 1);
      require(text.length + replaced * (by.length - old.length));
      const head = parts.slice(0, replaced + 1).join(by);
      return [head, ...parts.slice(replaced + 1)].join(old);
    },
    "python join"(values: unknown, ...args: unknown[]): string {
      const { d = "", attribute } = named(args, ["d", "attribute"]);
      const texts = elements(values).map(({ value }) =>
        pythonText(
          value instanceof Map && typeof attribute === "string" ? value.get(attribute)?.value : value,
        ),
      );
      const separator = pythonText(d);
      require(texts.reduce((sum, text) => sum + text.length, 0) + separator.length * texts.length);
      return texts.join(separator);
    },
    "python width"(value: unknown): unknown {
      if (value === null || (typeof value === "number" && value <= MAX_WIDTH)) return value;
      throw new Error(`expected a width of at most ${MAX_WIDTH}, got ${pythonText(value)}`);
    },
  };
}

function onText(strip: (text: string, characters?: string) => string) {
  return (value: unknown, ...args: unknown[]): string => {
    const { chars } = named(args, ["chars"]);
    return strip(pythonText(value), typeof chars === "string" ? chars : undefined);
  };
}

/** Arguments by name; keyword arguments come last, as a `Map`. */
function named(args: unknown[], names: string[]): Record<string, unknown> {
  const keywords = args.at(-1) instanceof Map ? (args.at(-1) as Map<string, RuntimeValue>) : null;
  const positional = keywords ? args.slice(0, -1) : args;
  const values = Object.fromEntries(positional.map((value, index) => [names[index] ?? "", value]));
  for (const [name, { value }] of keywords ?? []) values[name] = value;
  return values;
}

/** What a filter on sequences walks through: a list's values, or a text's characters. */
function elements(values: unknown): { value: unknown }[] {
  if (typeof values === "string") return Array.from(values, (value) => ({ value }));
  if (Array.isArray(values)) return values;
  throw new Error(`expected a list, got ${pythonText(values)}`);
}

/** Python's `str()` of plain values; the interpreter hands on none like an undefined value, as nothing. */
function pythonText(value: unknown): string {
  if (value === undefined) return "";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (value instanceof Map) throw new Error("expected a text, got a mapping");
  return String(value);
}
