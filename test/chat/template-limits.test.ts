import { describe, expect, it } from "vitest";
import { parseChatTemplate } from "../../src/chat/chat-template.ts";

const messages = [
  { role: "user", content: "Hi" },
  { role: "assistant", content: "Ho" },
];

function render(source: string): string {
  return parseChatTemplate(source, {}).render(messages, false);
}

/** A namespace `ns` whose `s` is a text of 65,536 characters. */
const LONG =
  "{% set ns = namespace(s='x', a=[]) %}{% for i in range(16) %}{% set ns.s = ns.s + ns.s %}{% endfor %}";
/** The same with a list of 4,096 elements as `a`. */
const LIST =
  "{% set ns = namespace(a=[1]) %}{% for i in range(12) %}{% set ns.a = ns.a + ns.a %}{% endfor %}";
const often = (body: string): string =>
  `{% for a in range(9999) %}{% for b in range(9999) %}${body}{% endfor %}{% endfor %}`;
const doubling = (growth: string): string =>
  `{% set ns = namespace(s='x', a=[1]) %}{% for a in range(9999) %}${growth}{% endfor %}`;

describe("templates from strangers are refused with one clear line", () => {
  it.each([
    ["loops in loops", often("{% for c in range(9999) %}{% endfor %}")],
    ["a huge range", "{% for a in range(1000000000) %}{% endfor %}"],
    ["an endless range", "{% for a in range(0, 10, 0) %}{% endfor %}"],
    ["ranges that nobody loops over", often("{% set r = range(9999) %}")],
    ["doubling a text by +", doubling("{% set ns.s = ns.s + ns.s %}")],
    ["doubling a text by ~", doubling("{% set ns.s = ns.s ~ ns.s %}")],
    [
      "doubling a text by set blocks",
      "{% set s = 'x' %}".concat("{% set s %}{{ s }}{{ s }}{% endset %}".repeat(40)),
    ],
    [
      "doubling a text by macros",
      `{% macro m0() %}${"x".repeat(99)}{% endmacro %}${Array.from({ length: 40 }, (_, i) => `{% macro m${i + 1}() %}{{ m${i}() }}{{ m${i}() }}{% endmacro %}`).join("")}{{ m40() }}`,
    ],
    ["doubling a list", doubling("{% set ns.a = ns.a + ns.a %}")],
    ["replacing every letter by the text", `${LONG}{{ ns.s | replace('x', ns.s) }}`],
    ["replacing by method", `${LONG}{{ ns.s.replace('x', ns.s) }}`],
    ["replacing nothing by the text", `${LONG}{{ ns.s.replace('', ns.s) }}`],
    ["joining letters by the text", `${LONG}{{ ns.s | join(ns.s) }}`],
    ["joining a list by the text", `${LONG}{{ range(9999) | join(ns.s) }}`],
    ["a wide indent", "{{ 'a\nb' | indent(500000000) }}"],
    ["a wide indent by name", "{{ 'a\nb' | indent(width=500000000, first=true) }}"],
    ["a wide JSON", "{{ [1, 2] | tojson(indent=500000000) }}"],
    [
      "lists that hold each other twice, as JSON",
      `${doubling("{% set ns.a = [ns.a, ns.a] %}")}{{ ns.a | tojson }}`,
    ],
    ["lists that hold each other twice, printed", `${doubling("{% set ns.a = [ns.a, ns.a] %}")}{{ ns.a }}`],
    ["mappings that hold each other twice", doubling("{% set ns.a = {'l': ns.a, 'r': ns.a} %}")],
    ["lists inside each other without end", doubling("{% set ns.a = [ns.a] %}")],
    ["a namespace inside itself", "{% set ns = namespace(a=1) %}{% set ns.a = ns %}{{ [ns] | tojson }}"],
    ["namespaces inside lists", "{% set ns = namespace(a=1) %}{% set l = [ns, ns] %}{{ l }}"],
    ["endless recursion", "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}"],
    [
      "branching recursion",
      "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(60) }}",
    ],
    [
      "a long macro that is defined again and again",
      often(`{% macro f() %}${"{{ x }}".repeat(5000)}{% endmacro %}`),
    ],
    ["searching a long text", LONG + often("{% if 'y' in ns.s %}{% endif %}")],
    [
      "comparing long texts",
      `${LONG}{% set s = ns.s ~ 'y' %}${often("{% if s == ns.s ~ 'z' %}{% endif %}")}`,
    ],
    ["splitting a long text", LONG + often("{% set p = ns.s.split('x') %}")],
    ["slicing a long text", LONG + often("{% set p = ns.s[0:1] %}")],
    ["changing the case of a long text", LONG + often("{% if ns.s | title == 'y' %}{% endif %}")],
    ["trimming a long text", LONG + often("{% if ns.s | trim('x') == 'y' %}{% endif %}")],
    ["sorting a list", LIST + often("{% set p = ns.a | sort %}")],
    ["searching a list", LIST + often("{% if 2 in ns.a %}{% endif %}")],
    ["parentheses inside each other", `{{ ${"(".repeat(30_000)}1${")".repeat(30_000)} }}`],
    ["lists inside each other in the text", `{{ ${"[".repeat(30_000)}1${"]".repeat(30_000)} }}`],
    ["conditions inside each other", `${"{% if 1 %}".repeat(3000)}x${"{% endif %}".repeat(3000)}`],
    ["a long chain of filters", `{{ 'x'${"|upper".repeat(10_000)} }}`],
  ])("%s", (_, source) => {
    expect(() => render(source)).toThrow(
      expect.objectContaining({
        name: "InputError",
        code: "bad-chat-template",
        message: expect.stringMatching(/^chat template: .{10,200}$/),
      }),
    );
  });

  it("when they cannot be parsed or are far too long", () => {
    expect(() => render("{% for %}")).toThrow(expect.objectContaining({ code: "bad-chat-template" }));
    expect(() => render("x".repeat(65_537))).toThrow("at most 65536 characters");
  });
});

describe("limits leave room", () => {
  const plain = parseChatTemplate("{% for m in messages %}{{ m.role + m.content|trim }}{% endfor %}", {});

  it("for very many messages", () => {
    const long = Array.from({ length: 5000 }, () => ({ role: "user", content: "x".repeat(500) }));
    expect(plain.render(long, true)).toHaveLength(5000 * 504);
  });

  it("for very long ones", () => {
    const content = "a b\n".repeat(1 << 20);
    expect(plain.render([{ role: "user", content }], true)).toHaveLength(content.length + 3);
  });

  it("for templates that look back at every message and split, slice and replace their contents", () => {
    const template = parseChatTemplate(
      `{% set ns = namespace(last='') %}{% for m in messages %}{% set c = m.content.split('</think>')[-1].lstrip('\\n') %}` +
        `{% if loop.index0 > 0 and messages[loop.index0 - 1].role != m.role %}{{ c[:40] ~ c[40:] | replace('y', 'z') }}{% endif %}` +
        `{% set ns.last = m.role %}{% endfor %}{{ ns.last }}{% for m in messages[::-1] %}{% if loop.first %}{{ m.role }}{% endif %}{% endfor %}`,
      {},
    );
    const long = Array.from({ length: 1000 }, (_, i) => ({
      role: i % 2 ? "assistant" : "user",
      content: `<think>why</think>\n\n${"y".repeat(400)}`,
    }));
    expect(template.render(long, true)).toHaveLength(999 * 400 + 18);
  });
});
