import { parse, tokenize } from "@huggingface/jinja";
import { InputError } from "../errors.ts";
import type { Message } from "./messages.ts";
import { NodeCosts, runWithin, templateLimits } from "./template-limits.ts";
import { prepareTemplate, pythonFunctions } from "./template-python.ts";

const MAX_TEMPLATE_CHARACTERS = 65_536;
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
 * `trim`, `strip`, `replace` and `join` follow Python. `strftime_now` is left undefined, so that a score never depends on
 * the day: templates that write a date fall back to their fixed one.
 *
 * Templates come with checkpoints, that is, from strangers, so rendering is bounded: one that loops or grows without end
 * is refused after at most about a second.
 *
 * @param variables What else the template may use: `bos_token`, `eos_token`, …
 * @throws {InputError} `bad-chat-template` when it cannot be parsed; on rendering also when it fails or takes absurdly
 *   long; `template-refused` when it calls `raise_exception`.
 *
 * Differs from Jinja: `map` knows `attribute` and `'trim'` only; true and none print as `true` and nothing.
 */
export function parseChatTemplate(source: string, variables: Record<string, unknown>): ChatTemplate {
  if (source.length > MAX_TEMPLATE_CHARACTERS) {
    throw badTemplate(`expected at most ${MAX_TEMPLATE_CHARACTERS} characters, got ${source.length}`);
  }
  let program: unknown;
  const costs = new NodeCosts();
  try {
    program = parse(tokenize(source, { lstrip_blocks: true, trim_blocks: true }));
    prepareTemplate(program, costs);
  } catch (error) {
    throw badTemplate(`cannot be parsed: ${reason(error)}`);
  }
  return {
    source,
    render(messages, addGenerationPrompt) {
      const given = messages.reduce((sum, message) => sum + message.content.length, 0);
      const limits = templateLimits(messages.length, given);
      const conversation = { messages, add_generation_prompt: addGenerationPrompt };
      const globals = { ...GLOBALS, ...variables, ...conversation, ...pythonFunctions(limits) };
      try {
        return runWithin(program, globals, costs, limits);
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
};

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
