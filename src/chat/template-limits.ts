import { Environment, Interpreter } from "@huggingface/jinja";

// The package's declarations do not resolve under NodeNext, so what is used of it is written down here.
interface Scope {
  set(name: string, value: unknown): unknown;
}
/** A value inside the interpreter. */
export interface RuntimeValue {
  readonly type: string;
  readonly value: unknown;
}
interface Evaluator {
  run(program: unknown): RuntimeValue;
  evaluate(statement: unknown, scope: Scope): RuntimeValue;
}
const EvaluatorBase = Interpreter as unknown as new (scope: Scope) => Evaluator;

/**
 * What a rendering may cost. Bounded by work, not by the clock, so that the same conversation is always either rendered
 * or refused.
 */
export interface TemplateLimits {
  /** One evaluated expression, a third of a turn of a loop, 256 characters of a text, or 16 elements of a list. */
  readonly steps: number;
  /** Characters of any value, with all that it holds. */
  readonly characters: number;
}

const MAX_DEPTH = 64;

/** Limits for a conversation; published templates take some dozens of steps per message. */
export function templateLimits(messages: number, contentCharacters: number): TemplateLimits {
  return {
    steps: 50_000 + 10_000 * messages + contentCharacters / 4,
    characters: 131_072 + 4_096 * messages + 4 * contentCharacters,
  };
}

/** Nodes of a template whose cost does not show in their value. */
export class NodeCosts {
  /** What these evaluate to is walked through: a loop's list, a text that is sliced. */
  readonly walked = new Set<unknown>();
  /** Steps that a node takes by itself. */
  readonly steps = new Map<unknown, number>();
}

/** Evaluates a parsed template within limits; throws an `Error` where they end. */
export function runWithin(
  program: unknown,
  variables: Record<string, unknown>,
  costs: NodeCosts,
  limits: TemplateLimits,
): string {
  const scope: Scope = new Environment();
  for (const [name, value] of Object.entries(variables)) scope.set(name, value);
  return new BoundedInterpreter(scope, costs, limits).run(program).value as string;
}

interface Size {
  readonly characters: number;
  readonly depth: number;
}

class BoundedInterpreter extends EvaluatorBase {
  private steps = 0;
  private readonly costs: NodeCosts;
  private readonly limits: TemplateLimits;
  /** Lists and mappings never change, so each is measured once. */
  private readonly sizes = new WeakMap<object, Size>();

  constructor(scope: Scope, costs: NodeCosts, limits: TemplateLimits) {
    super(scope);
    this.costs = costs;
    this.limits = limits;
  }

  override evaluate(statement: unknown, scope: Scope): RuntimeValue {
    this.spend(1 + (this.costs.steps.get(statement) ?? 0));
    const result = super.evaluate(statement, scope);
    const { value } = result;
    if (typeof value === "string") {
      this.require(value.length);
      this.spend(value.length >> (this.costs.walked.has(statement) ? 4 : 8));
    } else if (Array.isArray(value) || value instanceof Map) {
      const { characters } = this.sizeOf(result);
      this.require(characters);
      const elements = Array.isArray(value) ? value.length : value.size;
      const each = this.costs.walked.has(statement) ? 3 : 1 / 16;
      this.spend(Math.floor(elements * each) + (characters >> 10));
    }
    return result;
  }

  private spend(steps: number): void {
    this.steps += steps;
    if (this.steps > this.limits.steps) throw new Error(`more than ${Math.floor(this.limits.steps)} steps`);
  }

  private require(characters: number): void {
    if (characters > this.limits.characters)
      throw new Error(`more than ${this.limits.characters} characters`);
  }

  /**
   * What a value would be as text, at least: a list that holds another one twice, which holds another one twice, is small
   * in memory and endless on paper.
   */
  private sizeOf({ type, value }: RuntimeValue): Size {
    if (typeof value === "string") return { characters: value.length + 1, depth: 0 };
    if (!(Array.isArray(value) || value instanceof Map)) return { characters: 1, depth: 0 };
    const known = this.sizes.get(value);
    if (known !== undefined) return known;
    let characters = 2;
    let depth = 0;
    for (const child of value.values() as Iterable<RuntimeValue>) {
      if (child.type === "NamespaceValue") throw new Error("a namespace inside another value");
      const size = this.sizeOf(child);
      characters += size.characters;
      depth = Math.max(depth, size.depth + 1);
    }
    if (depth > MAX_DEPTH) throw new Error(`more than ${MAX_DEPTH} lists inside each other`);
    const size = { characters, depth };
    if (type !== "NamespaceValue") this.sizes.set(value, size);
    return size;
  }
}
