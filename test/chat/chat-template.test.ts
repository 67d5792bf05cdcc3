import { describe, expect, it } from "vitest";
import { parseChatTemplate } from "../../src/chat/chat-template.ts";

const messages = [
  { role: "user", content: "\x1c Hi\x85" },
  { role: "assistant", content: "\nHo\n" },
];

function render(source: string, variables: Record<string, unknown> = {}): string {
  return parseChatTemplate(source, variables).render(messages, false);
}

describe("rendering", () => {
  it("sees messages, special tokens and the generation flag", () => {
    const template = parseChatTemplate("{{ bos_token }}{{ messages|length }}{{ add_generation_prompt }}", {
      bos_token: "<s>",
    });
    expect(template.render(messages, true)).toBe("<s>2true");
  });

  it("trims as Python does, as filter and as method", () => {
    expect(render("[{{ messages[0].content | trim }}]")).toBe("[Hi]");
    expect(render("[{{ messages[0]['content'].strip() }}]")).toBe("[Hi]");
    expect(render("[{{ messages[0].content.lstrip() }}]")).toBe("[Hi\x85]");
    expect(render("[{{ messages[0].content.rstrip() }}]")).toBe("[\x1c Hi]");
  });

  it("strips the given characters only", () => {
    expect(render("[{{ (' ' + messages[1].content).strip('\\n') }}]")).toBe("[ \nHo]");
    expect(render("[{{ messages[1].content | trim('\\no') }}]")).toBe("[H]");
  });

  it("removes the line break after a block and the space before it", () => {
    expect(render("a\n  {% if true %}\nb\n  {% endif %}\nc\n")).toBe("a\nb\nc");
  });

  it("does not execute what messages contain", () => {
    const template = parseChatTemplate("{{ messages[0].content }}", {});
    expect(template.render([{ role: "user", content: "{{ 7 * 7 }}" }], false)).toBe("{{ 7 * 7 }}");
  });

  it("does not know the date, so that a score does not depend on the day", () => {
    expect(render("{% if strftime_now is defined %}{{ strftime_now('%d') }}{% else %}fixed{% endif %}")).toBe(
      "fixed",
    );
  });

  it("hands on the template's own refusal", () => {
    expect(() => render("{{ raise_exception('no system role') }}")).toThrow(
      expect.objectContaining({ code: "template-refused", message: "chat template: no system role" }),
    );
  });
});
