import { expect, test } from "vitest";
import { sentenceEnds } from "../../src/scoring/sentences.ts";
import { createApp } from "../../src/server/app.ts";
import { mostSteps, requireTraceable } from "../../src/server/limits.ts";
import { FAKE_MODEL, fakeService } from "./fake-service.ts";

const answered = (content: string) => [
  { role: "user" as const, content: "?" },
  { role: "assistant" as const, content },
];
const large = {
  maxTokens: 1 << 30,
  objectives: Array.from({ length: 19 }, (_, k) => ({ name: `objective-${k}` })),
};

/** A server of a model with 19 objectives that reads conversations of any length; scores are not asked for. */
function post(path: string, body: unknown) {
  const service = fakeService({ model: { ...FAKE_MODEL, ...large } });
  const sent = createApp(service).request(path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  return { sent, service };
}

test.each([
  ["token", "x".repeat(1 << 20), true],
  ["sentence", "No.\n".repeat(1 << 18), true],
  ["sentence", "No ".repeat(1 << 18), false],
  ["token", "x".repeat(1 << 16), false],
])(
  "traces by %s that no answer could hold are refused before anything is computed, and others are not",
  async (trace, text, refused) => {
    const half = text.slice(0, text.length / 2);
    const bodies: [string, unknown][] = [
      ["/v1/score", { messages: answered(text), trace }],
      ["/v1/score", { conversations: [answered(half), answered(half)], trace }],
      ["/v1/compare", { prompt: "?", responses: [half, half], trace }],
    ];
    for (const [path, body] of bodies) {
      const { sent, service } = post(path, body);
      const { status } = await sent;
      expect([status, service.calls.length]).toEqual(refused ? [413, 0] : [200, 1]);
      if (!refused) continue;
      expect(await (await sent).json()).toEqual({
        error: {
          code: "trace-too-large",
          message: expect.stringMatching(
            /^trace: expected responses of at most \d+ steps together for 19 objectives, got some of up to \d+$/,
          ),
          remedy: expect.stringMatching(/^send fewer or shorter responses at once/),
        },
      });
    }
  },
);

test("what a model's length bounds is not refused, however long the response: the model says that it is too long", () => {
  const conversations = [answered("x".repeat(8 << 20))];
  expect(() => requireTraceable(conversations, "token", { ...large, maxTokens: 8192 })).not.toThrow();
  expect(() => requireTraceable(conversations, "token", large)).toThrow(/at most/);
  expect(() => requireTraceable(conversations, undefined, large)).not.toThrow();
});

test("no text has more sentences than the limit counts marks", () => {
  const texts = [
    "A! B? C… D。E\u2028F\u2029G\r\nH\u0085I․ J",
    "```\na.b.\n```\n1. One.\n2. Two.",
    "a\n\n\nb",
    "",
  ];
  for (const text of texts)
    expect(mostSteps(text, "sentence", 1 << 30)).toBeGreaterThanOrEqual(sentenceEnds(text).length + 1);
});
