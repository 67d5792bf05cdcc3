import { expect, test } from "vitest";
import { promptHash } from "../../src/data/prompt-hash.ts";

const user = (content: string) => [{ role: "user", content }];

test("a prompt hash is 128 bits in hex", () => {
  expect(promptHash("hello")).toMatch(/^[0-9a-f]{32}$/);
});

test("a string is the same prompt as one user message", () => {
  expect(promptHash("Tell me a joke")).toBe(promptHash(user("Tell me a joke")));
});

test("white space, case and Unicode composition do not make another prompt", () => {
  const hash = promptHash("Tell me about cafés");
  expect(promptHash("  tell me\n\nabout\tCAFÉS ")).toBe(hash);
  expect(promptHash("Tell me about cafe\u0301s")).toBe(hash);
});

test("words, punctuation, roles and boundaries between messages do", () => {
  const hashes = [
    promptHash("ab"),
    promptHash("ab?"),
    promptHash([{ role: "system", content: "ab" }]),
    promptHash([...user("a"), ...user("b")]),
    promptHash([...user("a"), { role: "assistant", content: "b" }]),
    promptHash([...user('a"]["user","b')]),
  ];
  expect(new Set(hashes).size).toBe(hashes.length);
});
