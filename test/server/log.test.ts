import { expect, test } from "vitest";
import { readableLine } from "../../src/server/log.ts";

test("nothing that a client has sent commands the terminal", () => {
  const line = readableLine({
    level: "info",
    time: "2026-01-01T00:00:00.000Z",
    msg: "answered",
    id: "\u009b31m",
    body: { messages: ["\u001b[31m\u009b31m\u007f"] },
  });
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colours of the line itself
  const plain = line.replace(/\u001b\[\d+m/g, "");
  expect(plain).toBe('00:00:00 answered id="\\u009b31m" body={"messages":["\\u001b[31m\\u009b31m\\u007f"]}');
});
