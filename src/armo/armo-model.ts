import { type Backbone, type HiddenStatesRequest, openBackbone } from "../backbone/backbone.ts";
import { type Chat, type ChatOptions, openChat } from "../chat/chat.ts";
import { findGatingPosition } from "../chat/gating-position.ts";
import { type Message, validateConversation } from "../chat/messages.ts";
import { encodeWithin } from "../chat/overlong.ts";
import { locateCheckpoint } from "../checkpoint/location.ts";
import { InputError } from "../errors.ts";
import type { Comparison, RewardModel, Score, ScoreOptions } from "../reward-model.ts";
import type { Objective } from "./heads.ts";
import { openIsolatedModel } from "./isolated-model.ts";
import { type ModelDirectory, openModelDirectory } from "./model-directory.ts";
import { compareScores, runGate, scoreEmbedding, toScore } from "./score.ts";

export interface RewardModelOptions extends ChatOptions {
  /** Where the backbone lies now, or its name on the hub. Default: as the model says. */
  readonly backbone?: string;
  readonly dtype?: "auto" | "f32";
  readonly threads?: number;
  /** Token ids whose last occurrence begins at the gating token, for `scoreTokens`. Default: as the chat template ends a prompt. */
  readonly gatingTokenPattern?: readonly number[];
  /** Keep the model in a child process: scoring then leaves this process's event loop free. Default false. */
  readonly isolate?: boolean;
}

/** An ArmoRM, opened: a backbone and the heads on it. */
export interface ArmoModel extends RewardModel {
  readonly objectives: readonly Objective[];
  /** Scores tokenized conversations. @throws {InputError} `no-gating-token` where the pattern does not occur. */
  scoreTokens(ids: readonly (readonly number[])[], options?: ScoreOptions): Promise<Score[]>;
}

/**
 * Opens a reward model: a directory that `armorm train` has written, or an ArmoRM checkpoint with its backbone.
 *
 * @param location The model directory, or `org/name[@revision]` on the hub.
 * @throws {InputError} If the directory is no model, or its backbone is missing or another one than it was trained on.
 * @example
 * await using model = await openRewardModel("model");
 * const [score] = await model.score([[
 *   { role: "user", content: "Name a prime." },
 *   { role: "assistant", content: "Seven." },
 * ]]);
 */
export async function openRewardModel(
  location: string,
  options: RewardModelOptions = {},
): Promise<ArmoModel> {
  const { isolate = false, ...own } = options;
  if (isolate) return openIsolatedModel(await locateCheckpoint(location), own);
  const directory = await openModelDirectory(location);
  const { directory: where, name } = await locateCheckpoint(options.backbone ?? directory.backbone.location);
  const { dtype, threads } = options;
  const backbone = await openBackbone(where, {
    ...(dtype === undefined ? {} : { dtype }),
    ...(threads === undefined ? {} : { threads }),
  });
  try {
    requireBackbone(directory, backbone, where);
  } catch (error) {
    await backbone.close();
    throw error;
  }
  return armoModel(directory, backbone, { ...options, backbone: name });
}

/**
 * Opens the tokenizer and chat template that a model scores with. The backbone itself does not run.
 *
 * @throws {InputError} `wrong-backbone` if they are others than the model was trained with and the options do not ask
 *   for others; those of `openChat`.
 */
export async function openModelChat(
  { location, backbone, chat: settings }: ModelDirectory,
  options: ChatOptions & Pick<RewardModelOptions, "backbone"> = {},
): Promise<Chat> {
  const { directory: where } = await locateCheckpoint(options.backbone ?? backbone.location, {
    weights: false,
  });
  const opened = await openChat(where, { ...storedOptions(settings), ...options });
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

function armoModel(directory: ModelDirectory, backbone: Backbone, options: RewardModelOptions): ArmoModel {
  const { heads, location, trainedOn } = directory;
  const { objectives, gate, marginScale } = heads;
  const H = heads.hiddenSize;
  // A checkpoint may come without a tokenizer and still score token ids.
  let opening: Promise<Chat> | undefined;
  const chat = () => (opening ??= openModelChat(directory, options));

  const scoreRequests = async (
    requests: readonly (HiddenStatesRequest & { gatingPosition: number })[],
    scoreOptions: ScoreOptions,
  ): Promise<Score[]> => {
    const states = await backbone.hiddenStates(
      requests.map(({ ids, gatingPosition }) => ({ ids, positions: [gatingPosition, ids.length - 1] })),
      scoreOptions,
    );
    return states.map((rows, index) => {
      const gatingOutput = runGate(gate, rows.subarray(0, H));
      const parts = scoreEmbedding(heads, rows.subarray(H, 2 * H), gatingOutput);
      const tokens = requests[index]!.ids.length;
      return toScore(parts, objectives, { index, tokens, dtype: backbone.dtype, model: location });
    });
  };

  const score = async (conversations: readonly (readonly Message[])[], scoreOptions: ScoreOptions = {}) => {
    const opened = await chat();
    const encoded = conversations.map((conversation, index) => {
      const what = conversations.length === 1 ? "score" : `score: conversation ${index}`;
      const messages = validateConversation(conversation, what);
      const result = encodeWithin(opened, messages, backbone.maxTokens, "reject");
      if ("encoded" in result) return result.encoded;
      throw new InputError(
        "too-long",
        `${what}: ${result.rejected}`,
        "shorten the conversation, or use a backbone with a longer context",
      );
    });
    return scoreRequests(encoded, scoreOptions);
  };

  return {
    objectives,
    trainedOn,
    score,
    async scoreTokens(ids, scoreOptions = {}) {
      const pattern = options.gatingTokenPattern ?? promptEnding(await chat());
      const requests = ids.map((sequence) => ({
        ids: sequence,
        gatingPosition: findGatingPosition(sequence, pattern),
      }));
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

function storedOptions(settings: ModelDirectory["chat"]): ChatOptions {
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

function requireBackbone(
  { location, heads, backbone }: ModelDirectory,
  opened: Backbone,
  where: string,
): void {
  const remedy = "give the directory of the model's own backbone with --backbone";
  if (opened.hiddenSize !== heads.hiddenSize) {
    const what = `${location}: expected a backbone ${heads.hiddenSize} wide, got ${opened.hiddenSize} at ${where}`;
    throw new InputError("wrong-backbone", what, remedy);
  }
  if (backbone.fingerprint !== null && backbone.fingerprint !== opened.fingerprint) {
    const what = `${location}: expected the backbone that it was trained on, got another at ${where}`;
    throw new InputError("wrong-backbone", what, remedy);
  }
}
