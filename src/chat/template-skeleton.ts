import type { ChatTemplate } from "./chat-template.ts";
import type { Message } from "./messages.ts";

/**
 * A chat template seen as fixed text around contents, for conversations of one shape:
 * `literals[0] + contents[order[0]] + literals[1] + … + literals.at(-1)`.
 */
export interface Skeleton {
  readonly literals: readonly string[];
  /** Which message's content stands at each place: templates may move a system prompt. */
  readonly order: readonly number[];
}

/** Roles of a conversation, contents left open. */
export interface ConversationShape {
  readonly system: boolean;
  /** Whether an assistant's message comes before the first user's. */
  readonly greeting: boolean;
  /** Answered users' turns, at least 1; the last answer is the response. */
  readonly turns: number;
}

/** The roles of a shape in order; the last one is the response's. */
export function rolesOf({ system, greeting, turns }: ConversationShape): string[] {
  const roles = [...(system ? ["system"] : []), ...(greeting ? ["assistant"] : [])];
  for (let turn = 0; turn < turns; turn += 1) roles.push("user", "assistant");
  return roles;
}

/**
 * Renders stand-ins for the contents and splits the result at them.
 *
 * @returns Null where the template refuses such a conversation, leaves a content out, repeats one, or changes it.
 */
export function skeletonOf(
  template: ChatTemplate,
  roles: readonly string[],
  addGenerationPrompt: boolean,
): Skeleton | null {
  const messages = roles.map((role, index): Message => ({ role, content: `${OPEN}${index}${CLOSE}` }));
  let text: string;
  try {
    text = template.render(messages, addGenerationPrompt);
  } catch {
    return null;
  }
  const parts = text.split(STAND_IN);
  const order = parts.filter((_, index) => index % 2 === 1).map(Number);
  const literals = parts.filter((_, index) => index % 2 === 0);
  if (order.length !== roles.length || new Set(order).size !== roles.length) return null;
  return { literals, order };
}

// Private-use characters: no template needs them, and Python does not trim them.
const OPEN = "\uE000";
const CLOSE = "\uE001";
const STAND_IN = new RegExp(`${OPEN}(\\d+)${CLOSE}`);
