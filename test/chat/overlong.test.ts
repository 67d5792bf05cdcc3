import { beforeAll, expect, it } from "vitest";
import { type Chat, openChat } from "../../src/chat/chat.ts";
import type { Message } from "../../src/chat/messages.ts";
import { encodeWithin } from "../../src/chat/overlong.ts";
import { tinyDirectory } from "./checkpoints.ts";

const system = { role: "system", content: "Be brief." };
const turn = (n: number): Message[] => [
  { role: "user", content: `Question number ${n}, with some words.` },
  { role: "assistant", content: `Answer number ${n}.` },
];
const messages = [system, ...turn(1), ...turn(2), ...turn(3), ...turn(4)];

let chat: Chat;
let length: (kept: readonly Message[]) => number;
beforeAll(async () => {
  chat = await openChat(tinyDirectory);
  length = (kept) => chat.encode(kept).ids.length;
});

it("leaves a conversation that just fits as it is", () => {
  const whole = chat.encode(messages);
  for (const policy of ["reject", "drop-oldest-turns"] as const) {
    expect(encodeWithin(chat, messages, whole.ids.length, policy)).toEqual({
      encoded: whole,
      droppedTurns: 0,
      messages,
    });
  }
});

it("rejects a longer one with its length", () => {
  const tokens = length(messages);
  expect(encodeWithin(chat, messages, tokens - 1, "reject")).toEqual({
    rejected: `too long: ${tokens} tokens, limit ${tokens - 1}`,
  });
});

it("drops as few of the oldest turns as it takes, never the system message", () => {
  for (let dropped = 1; dropped <= 3; dropped += 1) {
    const kept = [system, ...messages.slice(1 + 2 * dropped)];
    const fits = { encoded: chat.encode(kept), droppedTurns: dropped, messages: kept };
    expect(encodeWithin(chat, messages, length(kept), "drop-oldest-turns")).toEqual(fits);
    const longer = [system, ...messages.slice(1 + 2 * (dropped - 1))];
    expect(encodeWithin(chat, messages, length(longer) - 1, "drop-oldest-turns")).toEqual(fits);
  }
});

it("never drops the last turn or cuts the response: it rejects with both lengths", () => {
  const least = length([system, ...turn(4)]);
  expect(encodeWithin(chat, messages, least - 1, "drop-oldest-turns")).toEqual({
    rejected: `too long: ${length(messages)} tokens, limit ${least - 1} (${least} without the 3 oldest turns)`,
  });
  const single = turn(1);
  expect(encodeWithin(chat, single, 3, "drop-oldest-turns")).toEqual({
    rejected: `too long: ${length(single)} tokens, limit 3`,
  });
});

it("keeps messages of one turn together", () => {
  const user = (content: string) => ({ role: "user", content });
  const split = [user("one"), user("more of one"), turn(1)[1]!, user("two"), turn(2)[1]!];
  const kept = split.slice(3);
  expect(encodeWithin(chat, split, length(split) - 1, "drop-oldest-turns")).toMatchObject({
    droppedTurns: 1,
    messages: kept,
  });
});

it("refuses a limit that is no limit", () => {
  for (const limit of [0, -1, 1.5, Number.NaN]) {
    expect(() => encodeWithin(chat, messages, limit, "reject")).toThrow(RangeError);
  }
});
