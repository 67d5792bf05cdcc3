import { beforeAll, describe, expect, it } from "vitest";
import { type Chat, type ChatOptions, chatFromFiles } from "../../src/chat/chat.ts";
import type { ChatFiles } from "../../src/chat/chat-files.ts";
import type { Message } from "../../src/chat/messages.ts";
import { buildTokenizer, type Tokenizer } from "../../src/chat/tokenizer.ts";
import { hasShared, sharedTokenizer, tinyFiles, withShared } from "./checkpoints.ts";

const BOS = 4090;
const END_OF_TURN = 4094;
const conversation: Message[] = [
  { role: "user", content: "Name a river." },
  { role: "assistant", content: "The Rhine." },
];
const body =
  "{% for m in messages %}{{ m.content }}<|eot_id|>{% endfor %}{% if add_generation_prompt %}A{% endif %}";
const TEMPLATES = {
  "writes none": body,
  "writes one": `{{ bos_token }}${body}`,
  "writes two": `{{ bos_token }}{{ bos_token }}${body}`,
  "writes one after a line break": `{{ '\\n' }}{{ bos_token }}${body}`,
};
const adds = (token: string) => ({
  type: "TemplateProcessing",
  single: [{ SpecialToken: { id: token, type_id: 0 } }, { Sequence: { id: "A", type_id: 0 } }],
});
const POST_PROCESSORS = {
  none: null,
  "adds BOS": adds("<|begin_of_text|>"),
  "adds BOS in a sequence": {
    type: "Sequence",
    processors: [{ type: "ByteLevel" }, adds("<|begin_of_text|>")],
  },
  "adds another token": adds("<|eot_id|>"),
};

type TemplateName = keyof typeof TEMPLATES;
type PostProcessorName = keyof typeof POST_PROCESSORS;

let files: ChatFiles;
let tokenizer: Tokenizer;
beforeAll(async () => {
  files = await tinyFiles();
  tokenizer = buildTokenizer(files.tokenizer, files.config);
});

function open(
  template: TemplateName,
  postProcessor: PostProcessorName,
  addBosToken: boolean | undefined,
  options: ChatOptions = {},
): Chat {
  const changed = {
    ...files,
    tokenizer: { ...(files.tokenizer as object), post_processor: POST_PROCESSORS[postProcessor] },
    config: addBosToken === undefined ? {} : { add_bos_token: addBosToken },
    chatTemplate: TEMPLATES[template],
  };
  return chatFromFiles(changed, "tiny", options, tokenizer);
}

describe.each(Object.keys(TEMPLATES) as TemplateName[])("BOS, where the template %s", (template) => {
  const rows = (Object.keys(POST_PROCESSORS) as PostProcessorName[]).flatMap((postProcessor) =>
    [undefined, true, false].flatMap((addBosToken) =>
      ([undefined, "on", "off"] as const).map((bos) => ({ postProcessor, addBosToken, bos })),
    ),
  );

  it.each(rows)(
    "is there once or not at all: post-processor $postProcessor, add_bos_token $addBosToken, asked $bos",
    ({ postProcessor, addBosToken, bos }) => {
      for (const specialTokens of ["text", "compat"] as const) {
        const chat = open(template, postProcessor, addBosToken, {
          ...(bos === undefined ? {} : { bos }),
          specialTokens,
        });
        if (bos !== undefined) expect(chat.bos).toBe(bos);
        const { ids, gatingPosition, promptLength, bos: outcome } = chat.encode(conversation);
        expect(ids.filter((id) => id === BOS)).toHaveLength(chat.bos === "on" ? 1 : 0);
        const writes = template !== "writes none";
        const expected = chat.bos === "on" ? (writes ? "written" : "added") : writes ? "removed" : "absent";
        expect(outcome).toBe(expected);
        // Nothing else changes, and positions move along.
        const silent = open("writes none", "none", false).encode(conversation);
        const rest = ids.filter((id) => id !== BOS);
        expect(rest.slice(rest.length - silent.ids.length)).toEqual(silent.ids);
        expect(ids.length - gatingPosition).toBe(silent.ids.length - silent.gatingPosition);
        expect(ids.length - promptLength).toBe(silent.ids.length - silent.promptLength);
        expect(ids[gatingPosition]).toBe(END_OF_TURN);
        const prompt = chat.encodePrompt(conversation.slice(0, 1));
        expect(prompt.slice(0, promptLength)).toEqual(ids.slice(0, promptLength));
      }
    },
  );
});

describe("the BOS rule", () => {
  it.each<[TemplateName, PostProcessorName, boolean | undefined, "on" | "off", string]>([
    ["writes one", "none", undefined, "on", "template"],
    ["writes one", "adds BOS", false, "on", "template"],
    ["writes one after a line break", "none", undefined, "on", "template"],
    ["writes none", "none", true, "on", "add_bos_token"],
    ["writes none", "adds BOS", false, "off", "add_bos_token"],
    ["writes none", "adds BOS", undefined, "on", "post_processor"],
    ["writes none", "adds BOS in a sequence", undefined, "on", "post_processor"],
    ["writes none", "adds another token", undefined, "off", "nothing-adds-it"],
    ["writes none", "none", undefined, "off", "nothing-adds-it"],
  ])("template %s, post-processor %s, add_bos_token %s: %s by %s", (template, post, add, bos, rule) => {
    expect(open(template, post, add)).toMatchObject({ bos, bosRule: rule });
    // Asking for what the checkpoint does anyway changes nothing; asking for the other does.
    expect(open(template, post, add, { bos })).toMatchObject({ bos, bosRule: rule });
    const other = bos === "on" ? "off" : "on";
    expect(open(template, post, add, { bos: other })).toMatchObject({ bos: other, bosRule: "caller" });
  });

  it("is that there is none for a checkpoint without BOS, which cannot be asked for one", () => {
    const without = { ...files, specialTokens: {} };
    const options = { chatTemplate: body };
    expect(chatFromFiles(without, "tiny", options)).toMatchObject({ bos: "off", bosRule: "no-bos-token" });
    expect(() => chatFromFiles(without, "tiny", { ...options, bos: "on" })).toThrow(
      expect.objectContaining({ code: "missing-bos" }),
    );
  });
});

describe.skipIf(!hasShared)(withShared("BOS of Llama 3 reward models"), () => {
  // Neither tokenizer adds BOS by itself, unlike Meta's.
  let llama: ChatFiles;
  let real: Tokenizer;
  beforeAll(() => {
    const meta = sharedTokenizer("llama3_1");
    llama = { ...meta, tokenizer: { ...(meta.tokenizer as object), post_processor: null } };
    real = buildTokenizer(llama.tokenizer, llama.config);
  }, 60_000);
  const ids = (chat: Chat) => chat.encode(conversation).ids;
  const count = (chat: Chat) => ids(chat).filter((id) => id === 128_000).length;

  it("is written by ArmoRM's template", () => {
    const chat = chatFromFiles(llama, "armorm", {}, real);
    expect(chat).toMatchObject({ bos: "on", bosRule: "template" });
    expect(chat.encode(conversation)).toMatchObject({ bos: "written", gatingPosition: 9 });
    expect(ids(chat).slice(0, 3)).toEqual([128_000, 128_006, 882]);
    expect(count(chat)).toBe(1);
  });

  it("is absent from FsfairX, whose template writes none", () => {
    const chatTemplate = llama.chatTemplate!.replace("bos_token + content", "content");
    const chat = chatFromFiles(llama, "fsfairx", { chatTemplate }, real);
    expect(chat).toMatchObject({ bos: "off", bosRule: "nothing-adds-it" });
    expect(chat.encode(conversation)).toMatchObject({ bos: "absent", gatingPosition: 8 });
    expect(count(chat)).toBe(0);
    // The same ids come from a template that writes it and --bos off.
    const removed = chatFromFiles(llama, "fsfairx", { bos: "off" }, real);
    expect(removed.encode(conversation)).toMatchObject({ bos: "removed", gatingPosition: 8 });
    expect(ids(removed)).toEqual(ids(chat));
  });

  it("is there once with Meta's own post-processor", () => {
    const meta = { ...sharedTokenizer("llama3_1") };
    expect(count(chatFromFiles(meta, "llama", {}, real))).toBe(1);
    const chatTemplate = meta.chatTemplate!.replace("bos_token + content", "content");
    const silent = chatFromFiles(meta, "llama", { chatTemplate }, real);
    expect(silent).toMatchObject({ bos: "on", bosRule: "post_processor" });
    expect(count(silent)).toBe(1);
  });
});
