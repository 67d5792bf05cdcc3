// Text that a trainer decoded from its policy's token ids, control tokens kept → the conversation that it shows.

import { InputError } from "../errors.ts";
import { anyOf } from "./added-tokens.ts";
import { type ChatTemplate, parseChatTemplate } from "./chat-template.ts";
import type { Message } from "./messages.ts";
import type { PolicyTemplate } from "./policy-template.ts";
import { type ConversationShape, rolesOf, type Skeleton, skeletonOf } from "./template-skeleton.ts";

/** A conversation read back from text. */
export interface DecodedConversation {
  /** At least one message, the last one the user's. */
  readonly prompt: readonly Message[];
  /** May be empty. White space at its ends is as it was generated. */
  readonly response: string;
  /** Whether the response ended its turn; otherwise it was cut off. */
  readonly ended: boolean;
  /**
   * The text as the template writes it: with its own BOS, without padding, and after a response that ended with the whole end
   * of turn. A response that was cut off stays open.
   */
  readonly text: string;
}

/** Reads texts that one template has rendered. */
export interface DecodedTextReader {
  /**
   * Reads a text: padding and BOS, turns, a last answer, its end, padding.
   *
   * @param prompt The text of the prompt with the generation header, if the trainer sends it: it must be the beginning of the text,
   *   and the response what follows.
   * @throws {InputError} `undecodable-text` where no conversation of the template gives this text; `ambiguous-text` where
   *   more than one does, or a message holds control tokens; `prompt-mismatch`; `too-many-messages`.
   */
  read(text: string, prompt?: string): DecodedConversation;
  /** Reads a response's text behind messages that the template renders. @throws as `read` does */
  readAnswer(prompt: readonly Message[], response: string): DecodedConversation;
}

/**
 * Prepares to read text that a template has rendered.
 *
 * The template is never guessed at: stand-ins are rendered in place of contents, which shows the fixed text around them, and
 * a text is read by finding that fixed text. The proof is the way back: rendering what was read, with the generation header,
 * must give the text up to the response, character by character (after BOS and padding; see `looseSpaces`). The reading is
 * unique, because every piece of fixed text between two contents holds a control token and no content may hold one.
 *
 * Turns must alternate: an optional system prompt, an optional greeting of the assistant, then users and assistants. A system
 * prompt equal to the one that the template writes unasked is taken as the template's. One that the template writes into a user's turn
 * without a control token between them cannot be told from that turn and stays there. A date that a template writes
 * (`Today Date: …`) is taken from the text.
 *
 * Cost: a rendering and two more of each shape that a text may have, of which there are at most six, twice where spaces are loose; linear in the text.
 *
 * @param maxMessages Messages that a text may hold, the response included. Turns are counted before anything is rendered.
 * @throws {InputError} `bad-chat-template`
 */
export function decodedTextReader(
  policy: PolicyTemplate,
  maxMessages = DEFAULT_MAX_MESSAGES,
): DecodedTextReader {
  const readers = new Map<string, TemplateReader>();
  const dated = /date_string|strftime_now/.test(policy.source);
  const readerOf = (date: string | null, loose: boolean): TemplateReader => {
    const key = `${loose} ${date}`;
    let reader = readers.get(key);
    if (reader === undefined) {
      if (readers.size >= MAX_READERS) readers.clear();
      reader = new TemplateReader(policy, date, loose, maxMessages);
      readers.set(key, reader);
    }
    return reader;
  };
  const template = parseChatTemplate(policy.source, policy.specialTokens);
  const reader: DecodedTextReader = {
    readAnswer(prompt, response) {
      requireMessages(prompt.length + 1, maxMessages);
      const rendered = template.render(prompt, true);
      return reader.read(rendered + response, rendered);
    },
    read(text, prompt) {
      const date = (dated && DATE.exec(text)?.[1]) || null;
      if (!policy.looseSpaces) return readerOf(date, false).read(text, prompt);
      try {
        return readerOf(date, false).read(text, prompt);
      } catch (error) {
        if (!(error instanceof InputError)) throw error;
        return readerOf(date, true).read(text, prompt);
      }
    },
  };
  return reader;
}

const DATE = /Today Date: (\d{2} [A-Z][a-z]{2} \d{4})\n/;
/** As the server's own limit, unless it is told otherwise. */
const DEFAULT_MAX_MESSAGES = 1024;
const MAX_READERS = 32;
const MAX_SHAPES = 256;

/** The fixed text of one shape of conversation. */
interface Frame {
  readonly roles: readonly string[];
  /** Around the prompt's contents; the last piece ends with the generation header. */
  readonly prompt: Skeleton;
  /** White space that the template puts before an answer, beyond the generation header. */
  readonly answerSpace: string;
  /** What the template writes after an answer. */
  readonly ending: string;
}

interface Reading {
  readonly frame: Frame;
  readonly prompt: readonly Message[];
  /** Where the response begins. */
  readonly end: number;
}

class TemplateReader {
  private readonly policy: PolicyTemplate;
  /** White space after control tokens is not compared. */
  private readonly loose: boolean;
  private readonly maxMessages: number;
  private readonly template: ChatTemplate;
  private readonly frames = new Map<string, Frame | null>();
  /** Begins every answer to a user: the turns are counted by it. */
  private readonly answerHeader: string;
  private readonly marker: RegExp;
  private readonly ends: ReadonlySet<string>;
  private readonly padding: RegExp | null;
  private readonly leading: RegExp | null;
  private readonly spaced: RegExp | null;

  constructor(policy: PolicyTemplate, date: string | null, loose: boolean, maxMessages: number) {
    this.policy = policy;
    this.loose = loose;
    this.maxMessages = maxMessages;
    this.template = parseChatTemplate(policy.source, {
      ...policy.specialTokens,
      ...(date === null ? {} : { date_string: date }),
    });
    const probe = ["user", "assistant", "user", "assistant"];
    const skeleton =
      skeletonOf(this.template, probe, false) ?? skeletonOf(this.template, probe.slice(0, 2), false);
    if (skeleton === null) {
      throw new InputError(
        "bad-chat-template",
        `${policy.name}: expected a template that writes a user's message and an answer, got one that does not`,
        "give the template that the policy is trained with",
      );
    }
    this.answerHeader = skeleton.literals[1]!.trim();
    const { bos_token: bos = "", eos_token: eos = "", pad_token: pad = "" } = policy.specialTokens;
    const system = skeletonOf(this.template, ["system", "user"], false)?.literals ?? [];
    const fixed = [...skeleton.literals, ...system];
    const written = fixed.flatMap((literal) => literal.match(CONTROL) ?? []);
    // Templates without control tokens mark turns by words: then the whole pieces between contents mark them.
    const words = written.length > 0 ? [] : fixed.map((literal) => literal.trim());
    const tokens = [...written, ...words, ...policy.control, bos, eos, pad].filter((token) => token !== "");
    this.marker = anyOf([...new Set(tokens)], "u")!;
    const ending = skeleton.literals.at(-1)!;
    this.ends = new Set([this.marker.exec(ending)?.[0] ?? "", eos].filter((token) => token !== ""));
    const around = [...new Set([...(ending.match(CONTROL) ?? []), bos, eos, pad, ...PADS])].filter(
      (token) => token !== "" && tokens.includes(token),
    );
    this.padding = anyOf(around, "gu", "(?:", "|\\s)");
    this.leading = anyOf(
      [...new Set([bos, pad, eos, ...PADS])].filter((token) => token !== ""),
      "u",
      "^(?:\\s*",
      ")+",
    );
    this.spaced = loose ? anyOf([...new Set(tokens)], "gu", "(", ")\\s+") : null;
  }

  read(given: string, promptText: string | undefined): DecodedConversation {
    const text = this.comparable(given);
    const turns = text.split(this.loosened(this.answerHeader)).length - 1;
    if (turns === 0)
      throw this.undecodable(text, `the beginning of an answer, ${JSON.stringify(this.answerHeader)}`);
    // Every turn has at least a message before it, but for a greeting.
    requireMessages(2 * turns - 1, this.maxMessages);
    const readings: Reading[] = [];
    let forged: string | null = null;
    for (const [greeting, answers] of [
      [false, turns],
      [true, turns],
      [true, turns - 1],
    ] as const) {
      for (const system of [false, true]) {
        const reading = answers > 0 ? this.readShape(text, { system, greeting, turns: answers }) : null;
        if (typeof reading === "string") forged = reading;
        // A system prompt that the template writes unasked was read already, as none: it is no second meaning.
        else if (reading !== null && !(system && sameBut(readings.at(-1), reading))) readings.push(reading);
      }
    }
    if (readings.length > 1) throw ambiguous(`${readings.length} conversations that give this text`);
    if (readings.length === 0) {
      if (forged === null) throw this.undecodable(text, "turns as the template writes them");
      throw ambiguous(`turns that do not alternate, or ${JSON.stringify(forged)} inside a message`);
    }
    const reading = readings[0]!;
    requireMessages(reading.prompt.length + 1, this.maxMessages);
    const response = this.readResponse(text.slice(reading.end), reading.frame);
    if (promptText !== undefined) this.requirePrompt(text.slice(0, reading.end), promptText);
    const rendered = this.template.render(reading.prompt, true);
    return {
      prompt: reading.prompt,
      response: response.content,
      ended: response.ended,
      text: rendered + response.space + response.content + (response.ended ? reading.frame.ending : ""),
    };
  }

  /** Null where the text has another shape; a control token where a message holds it. */
  private readShape(text: string, shape: ConversationShape): Reading | string | null {
    const frame = this.frameOf(shape);
    if (frame === null) return null;
    const { literals, order } = frame.prompt;
    const pieces = literals.map((literal, index) =>
      index === 0 ? this.comparable(literal) : this.loosened(literal),
    );
    if (!text.startsWith(pieces[0]!)) return null;
    let end = pieces[0]!.length;
    const contents: string[] = [];
    for (const piece of pieces.slice(1)) {
      const at = text.indexOf(piece, end);
      if (at === -1) return null;
      contents.push(text.slice(end, at));
      end = at + piece.length;
    }
    const forged = contents
      .map((content) => this.marker.exec(content)?.[0])
      .find((token) => token !== undefined);
    if (forged !== undefined) return forged;
    const prompt = order
      .map((message, place): [number, string] => [message, contents[place]!])
      .sort(([a], [b]) => a - b)
      .map(([message, content]): Message => ({ role: frame.roles[message]!, content }));
    let rendered: string;
    try {
      rendered = this.template.render(prompt, true);
    } catch {
      return null;
    }
    return this.comparable(rendered) === text.slice(0, end) ? { frame, prompt, end } : null;
  }

  private frameOf(shape: ConversationShape): Frame | null {
    const key = JSON.stringify(shape);
    const known = this.frames.get(key);
    if (known !== undefined) return known;
    if (this.frames.size >= MAX_SHAPES) this.frames.clear();
    const frame = this.buildFrame(rolesOf(shape));
    this.frames.set(key, frame);
    return frame;
  }

  private buildFrame(roles: readonly string[]): Frame | null {
    const prompt = skeletonOf(this.template, roles.slice(0, -1), true);
    const whole = skeletonOf(this.template, roles, false);
    if (prompt === null || whole === null) return null;
    // Contents that no control token parts, as where a system prompt is merged into a user's turn, cannot be told apart.
    if (!prompt.literals.slice(1).every((literal) => this.marker.test(literal))) return null;
    const header = prompt.literals.at(-1)!;
    const beforeAnswer = whole.literals.at(-2)!;
    const space = beforeAnswer.startsWith(header) ? beforeAnswer.slice(header.length) : "";
    return {
      roles,
      prompt,
      answerSpace: space.trim() === "" ? space : "",
      ending: whole.literals.at(-1)!,
    };
  }

  /** Splits what follows the generation header into the answer, its end and padding. */
  private readResponse(
    rest: string,
    { answerSpace, ending }: Frame,
  ): { content: string; space: string; ended: boolean } {
    const marker = this.marker.exec(rest);
    let content = marker === null ? rest : rest.slice(0, marker.index);
    const after = marker === null ? "" : rest.slice(marker.index);
    if (after !== "" && after.replace(this.padding ?? /\s/g, "") !== "") {
      throw ambiguous(`a response that ends once, got ${JSON.stringify(marker![0])} inside it`);
    }
    const ended = marker !== null && this.ends.has(marker[0]);
    const space = this.loose || content.startsWith(answerSpace) ? answerSpace : "";
    if (content.startsWith(space)) content = content.slice(space.length);
    const endSpace = /^\s*/.exec(ending)![0];
    if (ended && endSpace !== "" && content.endsWith(endSpace)) content = content.slice(0, -endSpace.length);
    return { content, space, ended };
  }

  private requirePrompt(read: string, promptText: string): void {
    const prompt = this.comparable(promptText);
    if (read.trimEnd() === prompt.trimEnd()) return;
    throw new InputError(
      "prompt-mismatch",
      `decoded text: expected it to begin with its prompt and the response to follow, got ${excerpt(read)} for the prompt ${excerpt(prompt)}`,
      "send prompts with the chat template applied, as the policy saw them; a response that forges turns of its own is refused too",
    );
  }

  /** Text without BOS and padding at its beginning, and without the white space that decoding makes up. */
  private comparable(text: string): string {
    const bare = this.leading === null ? text : text.replace(this.leading, "");
    return this.loosened(bare.length < text.length || this.loose ? bare.replace(/^ +/, "") : bare);
  }

  private loosened(text: string): string {
    return this.spaced === null ? text : text.replace(this.spaced, "$1");
  }

  private undecodable(text: string, expected: string): InputError {
    const { name } = this.policy;
    return new InputError(
      "undecodable-text",
      `decoded text: expected ${expected} (template ${name}), got ${excerpt(text)}`,
      "serve with --text retemplate=NAME, NAME the template that the policy is trained with, or --text raw if it is this model's own; keep special tokens when decoding",
    );
  }
}

/** Whether a reading is another with a system prompt in front. */
function sameBut(shorter: Reading | undefined, { prompt }: Reading): boolean {
  return JSON.stringify(shorter?.prompt) === JSON.stringify(prompt.slice(1));
}

/** Control tokens as templates write them. */
const CONTROL = /<<\/?[A-Z]+>>|<[|｜][^\s<>]+?[|｜]>|<\/?[A-Za-z_]+>|\[\/?[A-Z_]+\]/gu;
/** What texts are padded with, where a tokenizer has such a token, whatever it calls its padding. */
const PADS = ["<pad>", "[PAD]", "<unk>", "<|end_of_text|>", "<|endoftext|>", "<|finetune_right_pad_id|>"];

function requireMessages(count: number, most: number): void {
  if (count <= most) return;
  throw new InputError(
    "too-many-messages",
    `decoded text: expected at most ${most} messages, got at least ${count}`,
    "shorten the conversation",
  );
}

function ambiguous(expected: string): InputError {
  return new InputError(
    "ambiguous-text",
    `decoded text: expected one reading, got ${expected}`,
    "a message that writes control tokens cannot be told from turns: leave the sample out, or send messages to /v1/score",
  );
}

function excerpt(text: string): string {
  return JSON.stringify(text.length > 120 ? `${text.slice(0, 80)}…${text.slice(-39)}` : text);
}
