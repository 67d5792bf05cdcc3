// A reward model over a backbone, which runs on this machine or in an engine elsewhere: conversations → token ids → hidden states → scores.
// H hidden size.

import {
  type Backbone,
  type BackboneOptions,
  type HiddenStatesRequest,
  openBackbone,
} from "../backbone/backbone.ts";
import { type Chat, type ChatOptions, openChat } from "../chat/chat.ts";
import { findGatingPosition } from "../chat/gating-position.ts";
import {
  isDecoded,
  isTokenized,
  type Message,
  type Scorable,
  validateConversation,
} from "../chat/messages.ts";
import { encodeWithin } from "../chat/overlong.ts";
import { openTextMode, type TextReader } from "../chat/text-reader.ts";
import { requireVocabulary } from "../chat/vocabulary.ts";
import { locateCheckpoint } from "../checkpoint/location.ts";
import { parseRemoteLocation } from "../checkpoint/remote-location.ts";
import { InputError } from "../errors.ts";
import type { Comparison, RewardModel, Score, ScoreOptions, TraceUnit } from "../reward-model.ts";
import type { ScorerDirectory } from "./model-directory.ts";
import { compareScores } from "./ranking.ts";
import { toScore } from "./score-parts.ts";
import { steerScorer } from "./scorer.ts";
import { useHiddenStates } from "./state-batches.ts";
import { planTrace, runningScore, type TracePlan, traceOf } from "./trace.ts";

/** How its chat and its backbone are opened. */
export interface LocalModelOptions extends ChatOptions, BackboneOptions {
  /** Where the backbone lies now, its name on the hub, or the engine that serves it. Default: as the model says. */
  readonly backbone?: string;
  /** Token ids whose last occurrence begins at the gating token, for `scoreTokens`. Default: as the chat template ends a prompt. */
  readonly gatingTokenPattern?: readonly number[];
  /** How decoded text is read: `raw` or `retemplate=NAME`, see `openTextMode`. Default `raw`. */
  readonly text?: string;
  /** Messages that a decoded text may hold; more are refused. Default 1024. */
  readonly maxMessages?: number;
}

/** A reward model with tokens and a backbone of its own, unlike one that a service runs. */
export interface LocalRewardModel extends RewardModel {
  /**
   * Scores messages, and among them tokenized conversations, as `scoreTokens` does, and decoded text, read as `options.text` says.
   *
   * @throws {InputError} For text: `undecodable-text`, `ambiguous-text`, `prompt-mismatch`, `too-many-messages`.
   */
  score(conversations: readonly Scorable[], options?: ScoreOptions): Promise<Score[]>;
  /** What its backbone computes in and on, and the longest conversation that it takes, in tokens. */
  readonly arithmetic: Pick<Backbone, "dtype" | "device" | "maxTokens">;
  /**
   * Scores tokenized conversations.
   *
   * @throws {InputError} `no-gating-token` where a gate reads the prompt and the pattern does not occur; `too-long`; `unknown-token`
   *   for an id outside the vocabulary; `unsupported-option` for a trace, because token ids do not say where the response starts.
   */
  scoreTokens(ids: readonly (readonly number[])[], options?: ScoreOptions): Promise<Score[]>;
}

/**
 * Opens the backbone of a model whose directory has been read.
 *
 * @throws {InputError} `wrong-backbone` if it is missing or another one than the model was trained on; `bad-text-mode`.
 */
export async function openLocalModel(
  directory: ScorerDirectory,
  options: LocalModelOptions = {},
): Promise<LocalRewardModel> {
  if (options.backbone === undefined) await refuseForeignEngine(directory);
  // Before the backbone, which may take minutes to load.
  const openReader = await openTextMode(options.text ?? "raw", options.maxMessages);
  const { name } = await locateCheckpoint(options.backbone ?? directory.backbone.location);
  const backbone = await openBackbone(name, options);
  try {
    requireBackbone(directory, backbone, name);
  } catch (error) {
    await backbone.close();
    throw error;
  }
  return localModel(directory, backbone, openReader, { ...options, backbone: name });
}

/**
 * Opens the tokenizer and chat template that a model scores with. The backbone itself does not run.
 *
 * @throws {InputError} `wrong-backbone` if they are others than the model was trained with and the options do not ask
 *   for others; those of `openChat`.
 */
export async function openModelChat(
  { location, backbone, chat: settings }: ScorerDirectory,
  options: ChatOptions & Pick<LocalModelOptions, "backbone"> = {},
): Promise<Chat> {
  const { directory: where, checkpoint } = await locateCheckpoint(options.backbone ?? backbone.location, {
    weights: false,
  });
  const opened = await openChat(where, { checkpoint, ...storedOptions(settings), ...options });
  const overridden = options.chatTemplate ?? options.bos ?? options.gatingPattern ?? options.specialTokens;
  if (settings && overridden === undefined && opened.fingerprint !== settings.fingerprint) {
    throw new InputError(
      "wrong-backbone",
      `${where}: expected the tokenizer and template that ${location} was trained with, got others`,
      "give the directory of the model's own backbone with --backbone",
    );
  }
  return opened;
}

function localModel(
  directory: ScorerDirectory,
  backbone: Backbone,
  openReader: Awaited<ReturnType<typeof openTextMode>>,
  options: LocalModelOptions,
): LocalRewardModel {
  const { scorer, location, trainedOn } = directory;
  const { objectives, marginScale, transform, gated, hiddenSize: H } = scorer;
  // A checkpoint may come without a tokenizer and still score token ids.
  let opening: Promise<Chat> | undefined;
  const chat = () =>
    (opening ??= openModelChat(directory, options).then((opened) => {
      requireVocabulary(opened, backbone.vocabSize, location);
      return opened;
    }));

  let openingReader: Promise<TextReader> | undefined;
  const reader = () => (openingReader ??= openReader(chat));

  /** What the scorer reads: the gating token if it has a gate, the steps of a trace if there is one, and the last token. */
  const request = (
    ids: readonly number[],
    gatingPosition: number | null,
    trace: TracePlan | null = null,
  ): ScoreRequest => {
    const gating = gatingPosition === null ? [] : [gatingPosition];
    return { ids, trace, positions: [...gating, ...(trace?.positions ?? []), ids.length - 1] };
  };

  const scoreRequests = async (
    requests: readonly ScoreRequest[],
    scoreOptions: ScoreOptions,
  ): Promise<Score[]> => {
    const { forPrompt } = steerScorer(scorer, scoreOptions.steering, location);
    const scoreRows = (rows: Float32Array, index: number): Score => {
      const { ids, trace } = requests[index]!;
      const scoreResponse = forPrompt(rows.subarray(0, H)); // the first of them
      const parts = scoreResponse(rows.subarray(-H)); // the last of them
      const about = { index, tokens: ids.length, dtype: backbone.dtype, model: location };
      const score = toScore(parts, objectives, about);
      if (trace === null) return score;
      const steps = rows.subarray(gated ? H : 0);
      const runningAt = (i: number) =>
        runningScore(scoreResponse(steps.subarray(i * H, (i + 1) * H)), objectives);
      return { ...score, trace: traceOf(trace, runningAt, score) };
    };
    return await useHiddenStates(backbone, requests, scoreRows, scoreOptions);
  };

  let ending: Promise<readonly number[]> | undefined;
  const gatingTokenPattern = () =>
    (ending ??= options.gatingTokenPattern
      ? Promise.resolve(options.gatingTokenPattern)
      : chat().then(promptEnding));

  const encode = async (
    conversation: Scorable,
    what: string,
    unit: TraceUnit | undefined,
  ): Promise<ScoreRequest> => {
    if (isDecoded(conversation)) return encode((await reader())(conversation), what, unit);
    if (isTokenized(conversation)) {
      const { ids } = conversation;
      if (unit !== undefined) throw noTraceOfTokens(what, unit);
      if (ids.length > backbone.maxTokens) {
        throw tooLong(what, `too long: ${ids.length} tokens, limit ${backbone.maxTokens}`);
      }
      const unknown = ids.find((id) => !Number.isInteger(id) || id < 0 || id >= backbone.vocabSize);
      if (unknown !== undefined) throw unknownToken(what, unknown, backbone.vocabSize);
      return request(ids, gated ? findGatingPosition(ids, await gatingTokenPattern()) : null);
    }
    const messages = validateConversation(conversation, what);
    const opened = await chat();
    const result = encodeWithin(opened, messages, backbone.maxTokens, "reject");
    if ("rejected" in result) throw tooLong(what, result.rejected);
    const { ids, gatingPosition } = result.encoded;
    const response = messages.at(-1)!.content;
    const trace = unit ? planTrace(unit, response, result.encoded, opened.responseEnds(messages)) : null;
    return request(ids, gated ? gatingPosition : null, trace);
  };

  const score = async (conversations: readonly Scorable[], scoreOptions: ScoreOptions = {}) => {
    const requests: ScoreRequest[] = [];
    for (const [index, conversation] of conversations.entries()) {
      const what = conversations.length === 1 ? "score" : `score: conversation ${index}`;
      requests.push(await encode(conversation, what, scoreOptions.trace));
    }
    return scoreRequests(requests, scoreOptions);
  };

  const { dtype, device, maxTokens } = backbone;
  return {
    objectives,
    marginScale,
    transform,
    arithmetic: { dtype, device, maxTokens },
    trainedOn,
    score,
    scoreTokens: (sequences, scoreOptions) =>
      score(
        sequences.map((ids) => ({ ids })),
        scoreOptions,
      ),
    async compare(prompt, responses, scoreOptions): Promise<Comparison> {
      if (responses.length < 2)
        throw new RangeError(`compare: expected at least two responses, got ${responses.length}`);
      const answered = responses.map((content): Message[] => [...prompt, { role: "assistant", content }]);
      return compareScores(await score(answered, scoreOptions), marginScale);
    },
    close: () => backbone.close(),
    [Symbol.asyncDispose]: () => backbone.close(),
  };
}

/** A sequence, the rows that its score is made of, and what its trace makes of those between. */
interface ScoreRequest extends HiddenStatesRequest {
  readonly positions: readonly number[];
  readonly trace: TracePlan | null;
}

function noTraceOfTokens(what: string, unit: TraceUnit): InputError {
  return new InputError(
    "unsupported-option",
    `${what}: expected no trace of token ids, got one by ${unit}: they do not say where the response starts`,
    "give conversations, or leave the trace out",
  );
}

function unknownToken(what: string, id: number, vocabSize: number): InputError {
  return new InputError(
    "unknown-token",
    `${what}: expected token ids from 0 to ${vocabSize - 1}, got ${id}`,
    "encode with the tokenizer of the model's own backbone",
  );
}

function tooLong(what: string, problem: string): InputError {
  const remedy = "shorten the conversation, or use a backbone with a longer context";
  return new InputError("too-long", `${what}: ${problem}`, remedy);
}

function storedOptions(settings: ScorerDirectory["chat"]): ChatOptions {
  if (!settings) return {};
  return {
    bos: settings.bos,
    specialTokens: settings.specialTokens,
    ...(settings.chatTemplate === null ? {} : { chatTemplate: settings.chatTemplate }),
    ...(settings.gatingPattern === null ? {} : { gatingPattern: settings.gatingPattern }),
  };
}

/** The tokens from the gating token to the end of a prompt: what the template puts after every prompt. */
function promptEnding(chat: Chat): number[] {
  const sample = chat.encode([
    { role: "user", content: "a" },
    { role: "assistant", content: "b" },
  ]);
  return sample.ids.slice(sample.gatingPosition, sample.promptLength);
}

/**
 * A model from the hub may name any address, to which conversations and the key would go: whoever opens it must say that
 * address themselves.
 */
async function refuseForeignEngine({ location, backbone }: ScorerDirectory): Promise<void> {
  if (parseRemoteLocation(backbone.location) === null || parseRemoteLocation(location) !== null) return;
  const { directory } = await locateCheckpoint(location, { weights: false });
  if (directory === location) return;
  throw new InputError(
    "remote-backbone",
    `${location}: expected a backbone that is named by whoever opens a model of the hub, got ${backbone.location} from the model`,
    "if conversations may go there: --backbone with that location; else with the backbone's directory or its name on the hub",
  );
}

function requireBackbone(
  { location, scorer, backbone }: ScorerDirectory,
  opened: Backbone,
  where: string,
): void {
  const remedy = "give the directory of the model's own backbone with --backbone";
  if (opened.hiddenSize !== scorer.hiddenSize) {
    const what = `${location}: expected a backbone ${scorer.hiddenSize} wide, got ${opened.hiddenSize} at ${where}`;
    throw new InputError("wrong-backbone", what, remedy);
  }
  if (backbone.fingerprint !== null && backbone.fingerprint !== opened.fingerprint) {
    const what = `${location}: expected the backbone that it was trained on, got another at ${where}`;
    const unseen =
      "say which weights the engine serves: fingerprint=SHA256 in the location, or a directory with them behind #";
    throw new InputError("wrong-backbone", what, opened.fingerprint.startsWith("remote-") ? unseen : remedy);
  }
}
