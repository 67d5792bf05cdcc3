import { Tokenizer as HuggingFaceTokenizer } from "@huggingface/tokenizers";
import { InputError } from "../errors.ts";
import { type AddedToken, addedTokenSplitter, type Stretch } from "./added-tokens.ts";
import { bpeMerger, type Merger } from "./bpe.ts";
import { cannotStayText, type Disguise } from "./disguise.ts";
import { adjustPreTokenizer } from "./pre-tokenizer.ts";
import { spellingOf } from "./token-bytes.ts";
import { tokenEnds } from "./token-ends.ts";

/** What a stretch of text became. */
export interface EncodedStretch extends Stretch {
  readonly ids: readonly number[];
}

/**
 * Text → token ids, as Hugging Face's fast tokenizers do it with `add_special_tokens=False`.
 *
 * The library encodes plain text; added tokens are found here, because only then can text that merely looks like one
 * stay text.
 */
export interface Tokenizer {
  readonly addedTokens: readonly AddedToken[];
  /** The highest id in the vocabulary, added tokens included: no encoding holds a higher one. */
  readonly maxId: number;
  /**
   * Encodes a text stretch by stretch; the ids in order are the encoding.
   *
   * @param disguise Undone in the stretches between added tokens, before they are encoded.
   */
  encode(text: string, disguise?: Disguise): EncodedStretch[];
  /** Encodes a stretch between added tokens; `first`: it begins the whole text. */
  encodePlain(text: string, first: boolean, disguise?: Disguise): readonly number[];
  /** The added tokens that appear in `text` once it is normalized. */
  normalizedTokens(text: string): AddedToken[];
  /** The vocabulary's entry for an id, as `convert_ids_to_tokens` prints it. */
  tokenOf(id: number): string;
  /** Per id that a stretch of text became: UTF-16 units of the text that have been read once it has; see `tokenEnds`. */
  endsIn(text: string, ids: readonly number[]): number[];
}

// Prompts are shared by their responses, and a template's own text by all conversations.
const MAX_CACHED_CHARACTERS = 1 << 20;
const MAX_CACHED_PIECES = 50_000;
const MAX_CACHED_PIECE_LENGTH = 64;

/**
 * Builds a tokenizer from a parsed `tokenizer.json`.
 *
 * @throws {InputError} `bad-tokenizer` when it is not one, or uses a part that is not supported.
 */
export function buildTokenizer(json: unknown, config: Record<string, unknown>): Tokenizer {
  const { addedTokens, library } = open(json, config);
  const { normalizer, pre_tokenizer: preTokenizer, model } = library;
  const idOf = model.tokens_to_ids;

  const split = addedTokenSplitter(
    addedTokens.filter((token) => !token.normalized || !normalizer).map((token) => [token.content, token]),
  );
  const normalizedTokens = normalizer ? addedTokens.filter((token) => token.normalized) : [];
  const splitNormalized =
    normalizedTokens.length === 0
      ? null
      : addedTokenSplitter(normalizedTokens.map((token) => [normalizer!(token.content), token]));
  const contentOf = new Map(addedTokens.map((token) => [token.id, token.content]));

  const cache = new Map<string, readonly number[]>();
  let cachedCharacters = 0;
  const pieceIds = new Map<string, readonly number[]>();

  function modelIds(pieces: string[]): number[] {
    const ids: number[] = [];
    for (const piece of model(pieces)) {
      const id = idOf.get(piece) ?? model.unk_token_id;
      if (id !== undefined) ids.push(id);
    }
    return ids;
  }

  /** Pre-tokenizer and model; the text is normalized already. */
  function runModel(text: string, first: boolean): number[] {
    const pieces = preTokenizer ? preTokenizer(text, { section_index: first ? 0 : 1 }) : [text];
    // Neighbouring unknown pieces may become one token, so pieces are then not independent.
    if (model.fuse_unk) return modelIds(pieces);
    const ids: number[] = [];
    for (const piece of pieces) {
      let known = pieceIds.get(piece);
      if (known === undefined) {
        known = modelIds([piece]);
        if (pieceIds.size >= MAX_CACHED_PIECES) pieceIds.clear();
        if (piece.length <= MAX_CACHED_PIECE_LENGTH) pieceIds.set(piece, known);
      }
      for (const id of known) ids.push(id);
    }
    return ids;
  }

  function normalize(text: string): string {
    return normalizer ? normalizer(text) : text;
  }

  function encodeUncached(text: string, first: boolean, disguise?: Disguise): number[] {
    if (splitNormalized === null) {
      const normalized = normalize(disguise ? disguise.remove(text) : text);
      return normalized === "" ? [] : checked(runModel(normalized, first), disguise);
    }
    const normalized = normalize(text);
    return splitNormalized(normalized).flatMap(({ start, end, token }) => {
      if (token) return [token.id];
      const part = normalized.slice(start, end);
      const isFirst = first && start === 0;
      return disguise ? checked(runModel(disguise.remove(part), isFirst), disguise) : runModel(part, isFirst);
    });
  }

  function checked(ids: number[], disguise?: Disguise): number[] {
    if (disguise && ids.some((id) => disguise.ids.has(id) && id !== model.unk_token_id)) {
      throw cannotStayText("the tokenizer's model holds special tokens as ordinary pieces");
    }
    return ids;
  }

  function encodePlain(text: string, first: boolean, disguise?: Disguise): readonly number[] {
    if (disguise?.isIn(text)) return encodeUncached(text, first, disguise);
    const key = first ? `^${text}` : `_${text}`;
    const known = cache.get(key);
    if (known !== undefined) return known;
    const ids = encodeUncached(text, first);
    cachedCharacters += key.length;
    if (cachedCharacters > MAX_CACHED_CHARACTERS) {
      cache.clear();
      cachedCharacters = key.length;
    }
    cache.set(key, ids);
    return ids;
  }

  const spelling = spellingOf(json);
  const readable = normalizer && ((text: string) => spelling.textOf(normalizer(text)));

  return {
    addedTokens,
    maxId: highest(idOf.values(), contentOf.keys()),
    encodePlain,
    encode(text, disguise) {
      return split(text).map((stretch) => {
        const { start, end, token } = stretch;
        if (token) return { ...stretch, ids: [token.id] };
        return { ...stretch, ids: encodePlain(text.slice(start, end), start === 0, disguise) };
      });
    },
    normalizedTokens(text) {
      if (splitNormalized === null) return [];
      return splitNormalized(normalize(text)).flatMap(({ token }) => (token ? [token] : []));
    },
    tokenOf(id) {
      return contentOf.get(id) ?? library.id_to_token(id) ?? `<id ${id}>`;
    },
    endsIn(text, ids) {
      const tokens = ids.map((id) => {
        // Where an added token is an entry of the model too, the model has written it: Gemma's runs of spaces.
        const entry = library.id_to_token(id);
        return entry === undefined ? new TextEncoder().encode(contentOf.get(id)) : spelling.bytesOf(entry);
      });
      return tokenEnds(text, tokens, readable);
    },
  };
}

// The package's declarations do not resolve under NodeNext, so what is used of it is written down here.
interface Library {
  readonly normalizer: ((text: string) => string) | null;
  readonly pre_tokenizer: ((text: string, options: { section_index: number }) => string[]) | null;
  readonly model: ((pieces: string[]) => string[]) & {
    readonly tokens_to_ids: ReadonlyMap<string, number>;
    readonly unk_token_id?: number;
    readonly fuse_unk: boolean;
    bpe?: Merger;
  };
  id_to_token(id: number): string | undefined;
}

function open(
  json: unknown,
  config: Record<string, unknown>,
): { addedTokens: readonly AddedToken[]; library: Library } {
  if (typeof json !== "object" || json === null || !("model" in json)) {
    throw badTokenizer("expected a JSON object with a model");
  }
  const { added_tokens: listed = [] } = json as { added_tokens?: unknown };
  if (!Array.isArray(listed)) throw badTokenizer("added_tokens must be an array");
  const addedTokens = listed.map(readAddedToken);
  const preTokenizer = adjustPreTokenizer((json as { pre_tokenizer?: unknown }).pre_tokenizer ?? null);
  const { model, merges } = withoutMerges((json as { model: unknown }).model);
  let library: Library;
  try {
    library = new HuggingFaceTokenizer(
      {
        normalizer: null,
        decoder: null,
        ...json,
        model,
        pre_tokenizer: preTokenizer,
        added_tokens: [],
        post_processor: null,
      },
      config,
    );
  } catch (error) {
    throw badTokenizer(error instanceof Error ? error.message : String(error));
  }
  if (merges !== null) {
    const merger = bpeMerger(library.model.tokens_to_ids, merges);
    if ("missing" in merger)
      throw badTokenizer(`the vocabulary lacks a part of the merge "${merger.missing}"`);
    library.model.bpe = merger;
  }
  return { addedTokens, library };
}

type Merges = readonly (string | readonly [string, string])[];

/** Takes the merges out of a plain BPE model: they are followed here. */
function withoutMerges(value: unknown): { model: unknown; merges: Merges | null } {
  const model = (value ?? {}) as Record<string, unknown>;
  const { type, merges, end_of_word_suffix: suffix, continuing_subword_prefix: prefix } = model;
  if (type !== "BPE" || !Array.isArray(merges) || suffix || prefix) return { model: value, merges: null };
  return { model: { ...model, merges: [] }, merges };
}

function readAddedToken(value: unknown): AddedToken {
  const token = (value ?? {}) as Record<string, unknown>;
  if (typeof token.content !== "string" || !Number.isSafeInteger(token.id)) {
    throw badTokenizer("every added token needs an id and a content");
  }
  const special = token.special === true;
  return {
    id: token.id as number,
    content: token.content,
    lstrip: token.lstrip === true,
    rstrip: token.rstrip === true,
    singleWord: token.single_word === true,
    normalized: typeof token.normalized === "boolean" ? token.normalized : !special,
    special,
  };
}

function highest(...all: Iterable<number>[]): number {
  let max = -1;
  for (const ids of all) for (const id of ids) if (id > max) max = id;
  return max;
}

function badTokenizer(problem: string): InputError {
  return new InputError(
    "bad-tokenizer",
    `tokenizer.json: ${problem}`,
    "use a checkpoint with a Hugging Face fast tokenizer",
  );
}
