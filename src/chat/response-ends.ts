// Tokens of a rendered conversation → how much of its response has been read.

import { alignTexts } from "./text-alignment.ts";

/** All texts undisguised; lengths and positions in UTF-16 units. */
export interface RenderedResponse {
  /** The content of the last message. */
  readonly response: string;
  /** What the template made of the conversation. */
  readonly rendered: string;
  /** Where the text stops to be that of the prompt and generation header. */
  readonly responseStart: number;
  /** Where the response ends in the rendered text. */
  readonly responseEnd: number;
  /** How much of the response stands before that; the template has left out the rest. */
  readonly keptLength: number;
  /** The first token that is not the prompt's. */
  readonly firstToken: number;
  /** Per token of the conversation: how much of the rendered text has been read. */
  readonly tokenEnds: readonly number[];
}

/** Per token from `firstToken` to the one that completes the response: how much of it has been read; see `Chat.responseEnds`. */
export function endsInResponse(about: RenderedResponse): number[] {
  const { response, rendered, responseStart, responseEnd, keptLength, firstToken, tokenEnds } = about;
  const written = rendered.slice(responseStart, responseEnd);
  if (written === "" || keptLength === 0) return [];
  const readOf = alignEnds(response.slice(0, keptLength), written);
  const ends: number[] = [];
  for (const end of tokenEnds.slice(firstToken)) {
    if (end >= responseEnd) return [...ends, response.length];
    ends.push(readOf(Math.max(0, end - responseStart)));
  }
  return ends;
}

/** From how much of `written` has been read to how much of the response it was written from; both end at the same place. */
function alignEnds(kept: string, written: string): (read: number) => number {
  let shared = 0;
  while (shared < Math.min(kept.length, written.length) && kept.at(-1 - shared) === written.at(-1 - shared))
    shared += 1;
  const shift = kept.length - written.length;
  // The one is the end of the other: the template has trimmed the beginning, or written something before it.
  if (shared === written.length || shared === kept.length)
    return (read) => (read === 0 ? 0 : Math.max(0, read + shift));
  const ends = alignTexts(kept, written);
  return (read) => ends[read]!;
}
