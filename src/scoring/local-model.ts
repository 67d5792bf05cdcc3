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
import { type Message, validateConversation } from "../chat/messages.ts";
import { encodeWithin } from "../chat/overlong.ts";
import { requireVocabulary } from "../chat/vocabulary.ts";
import { locateCheckpoint } from "../checkpoint/location.ts";
import { parseRemoteLocation } from "../checkpoint/remote-location.ts";
import { InputError } from "../errors.ts";
import type { Comparison, RewardModel, Score, ScoreOptions } from "../reward-model.ts";
import type { ScorerDirectory } from "./model-directory.ts";
import { compareScores } from "./ranking.ts";
import { toScore } from "./score-parts.ts";
import { steerScorer } from "./scorer.ts";

/** How its chat and its backbone are opened. */
export interface LocalModelOptions extends ChatOptions, BackboneOptions {
  /** Where the backbone lies now, its name on the hub, or the engine that serves it. Default: as the model says. */
  readonly backbone?: string;
  /** Token ids whose last occurrence begins at the gating token, for `scoreTokens`. Default: as the chat template ends a prompt. */
  readonly gatingTokenPattern?: readonly number[];
}

/** A reward model with tokens and a backbone of its own, unlike one that a service runs. */
export interface LocalRewardModel extends RewardModel {
  /**
   * Scores tokenized conversations.
   *
   * @throws {InputError} `no-gating-token` where a gate reads the prompt and the pattern does not occur.
   */
  scoreTokens(ids: readonly (readonly number[])[], options?: ScoreOptions): Promise<Score[]>;
}

/**
 * Opens the backbone of a model whose directory has been read.
 *
 * @throws {InputError} `wrong-backbone` if it is missing or another one than the model was trained on.
 */
export async function openLocalModel(
  directory: ScorerDirectory,
  options: LocalModelOptions = {},
): Promise<LocalRewardModel> {
  if (options.backbone === undefined) await refuseForeignEngine(directory);
  const { name } = await locateCheckpoint(options.backbone ?? directory.backbone.location);
  const backbone = await openBackbone(name, options);
  try {
    requireBackbone(directory, backbone, name);
  } catch (error) {
    await backbone.close();
    throw error;
  }
  return localModel(directory, backbone, { ...options, backbone: name });
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

  /** What the scorer reads: the gating token if it has a gate, and the last token. */
  const request = (ids: readonly number[], gatingPosition: number | null): HiddenStatesRequest => ({
    ids,
    positions: gatingPosition === null ? [ids.length - 1] : [gatingPosition, ids.length - 1],
  });

  const scoreRequests = async (
    requests: readonly HiddenStatesRequest[],
    scoreOptions: ScoreOptions,
  ): Promise<Score[]> => {
    const { forPrompt } = steerScorer(scorer, scoreOptions.steering, location);
    const states = await backbone.hiddenStates(requests, scoreOptions);
    return states.map((rows, index) => {
      const parts = forPrompt(rows.subarray(0, H))(rows.subarray(-H)); // the first of them, the last of them
      const tokens = requests[index]!.ids.length;
      return toScore(parts, objectives, { index, tokens, dtype: backbone.dtype, model: location });
    });
  };

  const score = async (conversations: readonly (readonly Message[])[], scoreOptions: ScoreOptions = {}) => {
    const opened = await chat();
    const requests = conversations.map((conversation, index) => {
      const what = conversations.length === 1 ? "score" : `score: conversation ${index}`;
      const messages = validateConversation(conversation, what);
      const result = encodeWithin(opened, messages, backbone.maxTokens, "reject");
      if ("encoded" in result) {
        const { ids, gatingPosition } = result.encoded;
        return request(ids, gated ? gatingPosition : null);
      }
      throw new InputError(
        "too-long",
        `${what}: ${result.rejected}`,
        "shorten the conversation, or use a backbone with a longer context",
      );
    });
    return scoreRequests(requests, scoreOptions);
  };

  return {
    objectives,
    marginScale,
    transform,
    trainedOn,
    score,
    async scoreTokens(ids, scoreOptions = {}) {
      const pattern = gated ? (options.gatingTokenPattern ?? promptEnding(await chat())) : null;
      const requests = ids.map((sequence) =>
        request(sequence, pattern && findGatingPosition(sequence, pattern)),
      );
      return scoreRequests(requests, scoreOptions);
    },
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
