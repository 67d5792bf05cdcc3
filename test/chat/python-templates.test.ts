import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { parseChatTemplate } from "../../src/chat/chat-template.ts";
import type { Message } from "../../src/chat/messages.ts";

// What templates from checkpoints are written with, beside what Python's jinja2 makes of it.
const golden: {
  messages: Message[];
  cases: { name: string; template: string; rendered?: string; renderedError?: string }[];
} = JSON.parse(readFileSync(new URL("../golden/templates/python.json", import.meta.url), "utf8"));

it.each(golden.cases)("renders as Python does: $name", ({ template, rendered, renderedError }) => {
  const render = () => parseChatTemplate(template, { bos_token: "<s>" }).render(golden.messages, false);
  if (renderedError === undefined) expect(render()).toBe(rendered);
  else expect(render).toThrow(`chat template: ${renderedError}`);
});
