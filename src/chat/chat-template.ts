import { Environment, Interpreter, parse, tokenize } from "@huggingface/jinja";
import { InputError } from "../errors.ts";
import type { Message } from "./messages.ts";
import { pythonLeftStrip, pythonRightStrip, pythonStrip } from "./python-strip.ts";

// The package's declarations do not resolve under NodeNext, so what is used of it is written down here.
interface Scope {
  set(name: string, value: unknown): unknown;
}
interface RuntimeValue {
  readonly value: unknown;
}
interface Evaluator {
  run(program: unknown): RuntimeValue;
  evaluate(statement: unknown, scope: Scope): RuntimeValue;
}
const EvaluatorBase = Interpreter as unknown as new (scope: Scope) => Evaluator;

// Templates come with checkpoints, that is, from strangers, so rendering is bounded: by work, not by the clock, so that
// the same conversation is always either rendered or refused. A step is one evaluated expression, one turn of a loop, or
// 1,024 characters of a value. Published templates take some dozens of steps per message.
const MAX_TEMPLATE_CHARACTERS = 65_536;
const MAX_STEPS = 100_000;
const MAX_STEPS_PER_MESSAGE = 10_000;
const MAX_CHARACTERS = 4_194_304;
const MAX_RANGE = 10_000;

/** A checkpoint's chat template, parsed once. */
export interface ChatTemplate {
  readonly source: string;
  /** The text that the template makes of `messages`, with the header of the coming response if asked for. */
  render(messages: readonly Message[], addGenerationPrompt: boolean): string;
}

/**
 * Parses a Jinja chat template with Hugging Face's settings (`trim_blocks`, `lstrip_blocks`).
 *
 * Rendering sees `messages`, `add_generation_prompt`, `tools` and `documents` (none), `raise_exception`, and `variables`.
 * `trim` and `strip` follow Python. `strftime_now` is left undefined, so that a score never depends on the day: templates
 * that write a date fall back to their fixed one.
 *
 * @param variables What else the template may use: `bos_token`, `eos_token`, …
 * @throws {InputError} `bad-chat-template` when it cannot be parsed; on rendering also when it fails or takes absurdly
 *   long; `template-refused` when it calls `raise_exception`.
 *
 * Differs from Jinja: `{% filter trim %}` blocks strip JavaScript's white space, not Python's.
 */
export function parseChatTemplate(source: string, variables: Record<string, unknown>): ChatTemplate {
  if (source.length > MAX_TEMPLATE_CHARACTERS) {
    throw badTemplate(`expected at most ${MAX_TEMPLATE_CHARACTERS} characters, got ${source.length}`);
  }
  let program: unknown;
  const loopIterables = new Set<unknown>();
  try {
    program = parse(tokenize(source, { lstrip_blocks: true, trim_blocks: true }));
    prepare(program, loopIterables);
  } catch (error) {
    throw badTemplate(`cannot be parsed: ${reason(error)}`);
  }
  return {
    source,
    render(messages, addGenerationPrompt) {
      const scope: Scope = new Environment();
      const globals = { ...GLOBALS, ...variables, messages, add_generation_prompt: addGenerationPrompt };
      for (const [name, value] of Object.entries(globals)) scope.set(name, value);
      const given = messages.reduce((sum, message) => sum + message.content.length, 0);
      try {
        const interpreter = new BoundedInterpreter(scope, loopIterables, {
          steps: MAX_STEPS + MAX_STEPS_PER_MESSAGE * messages.length + given / 32,
          characters: MAX_CHARACTERS + 4 * given,
        });
        return interpreter.run(program).value as string;
      } catch (error) {
        if (error instanceof InputError) throw error;
        throw badTemplate(`cannot be rendered: ${reason(error)}`);
      }
    },
  };
}

const GLOBALS = {
  true: true,
  false: false,
  none: null,
  True: true,
  False: false,
  None: null,
  tools: null,
  documents: null,
  raise_exception(message: unknown): never {
    throw new InputError(
      "template-refused",
      `chat template: ${String(message)}`,
      "change the messages as the template asks, or pass another template with --chat-template FILE",
    );
  },
  range(first: number, stop?: number, step = 1): number[] {
    const [from, to] = stop === undefined ? [0, first] : [first, stop];
    const length = Math.max(0, Math.ceil((to - from) / step));
    if (!(length <= MAX_RANGE)) throw new Error(`range is limited to ${MAX_RANGE} numbers`);
    return Array.from({ length }, (_, index) => from + index * step);
  },
  "python strip": onText(pythonStrip),
  "python lstrip": onText(pythonLeftStrip),
  "python rstrip": onText(pythonRightStrip),
};

function onText(strip: (text: string, characters?: string) => string) {
  return (value: unknown, characters?: unknown): string =>
    strip(
      value === null ? "None" : value === undefined ? "" : String(value),
      typeof characters === "string" ? characters : undefined,
    );
}

class BoundedInterpreter extends EvaluatorBase {
  private steps = 0;
  private readonly loopIterables: ReadonlySet<unknown>;
  private readonly limits: { steps: number; characters: number };

  constructor(
    scope: Scope,
    loopIterables: ReadonlySet<unknown>,
    limits: { steps: number; characters: number },
  ) {
    super(scope);
    this.loopIterables = loopIterables;
    this.limits = limits;
  }

  override evaluate(statement: unknown, scope: Scope): RuntimeValue {
    const result = super.evaluate(statement, scope);
    const { value } = result;
    this.steps += 1;
    if (typeof value === "string") {
      if (value.length > this.limits.characters)
        throw new Error(`more than ${this.limits.characters} characters`);
      this.steps += value.length >> 10;
    } else if (this.loopIterables.has(statement)) {
      this.steps += Array.isArray(value) ? value.length : value instanceof Map ? value.size : 0;
    }
    if (this.steps > this.limits.steps) throw new Error(`more than ${Math.floor(this.limits.steps)} steps`);
    return result;
  }
}

interface Node {
  type: string;
  [field: string]: unknown;
}

const STRIP_METHODS: Record<string, string> = {
  strip: "python strip",
  lstrip: "python lstrip",
  rstrip: "python rstrip",
};

/**
 * Turns `x|trim` and `x.strip(…)` into calls of the functions above, because the interpreter's own ones trim as JavaScript
 * does, and collects what loops run over.
 */
function prepare(node: unknown, loopIterables: Set<unknown>): void {
  if (typeof node !== "object" || node === null) return;
  const children = node instanceof Map ? [...node.keys(), ...node.values()] : Object.values(node);
  for (const child of children) prepare(child, loopIterables);
  const { type } = node as Node;
  if (type === "For") {
    const iterable = (node as Node).iterable as Node;
    loopIterables.add(iterable.type === "SelectExpression" ? iterable.lhs : iterable);
  } else if (type === "FilterExpression") {
    const { operand, filter } = node as Node & { filter: Node };
    const callee = filter.type === "CallExpression" ? (filter.callee as Node) : filter;
    if (callee.value === "trim") becomeCall(node as Node, "python strip", [operand, ...argumentsOf(filter)]);
  } else if (type === "CallExpression") {
    const callee = (node as Node).callee as Node;
    if (callee.type !== "MemberExpression" || callee.computed === true) return;
    const method = String((callee.property as Node).value);
    const name = Object.hasOwn(STRIP_METHODS, method) ? STRIP_METHODS[method] : undefined;
    if (name !== undefined) becomeCall(node as Node, name, [callee.object, ...argumentsOf(node as Node)]);
  }
}

function argumentsOf(node: Node): unknown[] {
  return node.type === "CallExpression" ? (node.args as unknown[]) : [];
}

/** Changes the node in place; the name holds a space, so no template can define or call it. */
function becomeCall(node: Node, name: string, args: unknown[]): void {
  for (const field of Object.keys(node)) delete node[field];
  Object.assign(node, { type: "CallExpression", callee: { type: "Identifier", value: name }, args });
}

function reason(error: unknown): string {
  return error instanceof RangeError
    ? "it needs too much memory or recursion"
    : error instanceof Error
      ? error.message
      : String(error);
}

function badTemplate(problem: string): InputError {
  return new InputError(
    "bad-chat-template",
    `chat template: ${problem}`,
    "pass another template with --chat-template FILE",
  );
}
