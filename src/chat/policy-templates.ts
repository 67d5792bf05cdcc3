import { readFile, stat } from "node:fs/promises";
import { InputError } from "../errors.ts";
import { readChatFiles, requireTemplate } from "./chat-files.ts";
import { parseChatTemplate } from "./chat-template.ts";
import { type PolicyTemplate, policyOf } from "./policy-template.ts";
import { controlTokens } from "./special-tokens.ts";
import { buildTokenizer } from "./tokenizer.ts";

/**
 * A policy's template by name, or from a Jinja file or a checkpoint's directory.
 *
 * Names, and the ends of turns that they stand for: `chatml` (also `qwen`): `<|im_end|>`; `llama3`, `llama3.1` (its system
 * turn begins with two dates): `<|eot_id|>`; `llama2`, `mistral`, `mistral-v3`: `[INST]` and `</s>`; `gemma`: `<end_of_turn>`; `phi3`:
 * `<|end|>`; `zephyr`: `</s>`.
 *
 * @throws {InputError} `bad-text-mode` when it is neither a name nor a path; what refuses the files of a directory.
 */
export async function openPolicyTemplate(nameOrPath: string): Promise<PolicyTemplate> {
  const named = NAMED[nameOrPath];
  if (Object.hasOwn(NAMED, nameOrPath) && named !== undefined) return { name: nameOrPath, ...named };
  const found = await stat(nameOrPath).catch(() => null);
  if (found?.isDirectory()) return policyOfDirectory(nameOrPath);
  if (found?.isFile()) {
    const source = await readFile(nameOrPath, "utf8");
    return { name: nameOrPath, source, specialTokens: {}, control: [], looseSpaces: false };
  }
  throw new InputError(
    "bad-text-mode",
    `policy template: expected ${Object.keys(NAMED).join(", ")}, a Jinja file or a checkpoint's directory, got ${JSON.stringify(nameOrPath)}`,
    "name the template that the policy is trained with, for example retemplate=chatml",
  );
}

async function policyOfDirectory(directory: string): Promise<PolicyTemplate> {
  const files = await readChatFiles(directory);
  const source = requireTemplate(files, directory);
  const tokenizer = buildTokenizer(files.tokenizer, files.config);
  const control = controlTokens(files, tokenizer, parseChatTemplate(source, files.specialTokens));
  return policyOf(directory, source, files, control);
}

const LLAMA3_TOKENS = {
  specialTokens: {
    bos_token: "<|begin_of_text|>",
    eos_token: "<|eot_id|>",
    pad_token: "<|finetune_right_pad_id|>",
  },
  control: ["<|end_of_text|>", "<|eom_id|>", "<|python_tag|>"],
  looseSpaces: false,
};

const INST_TOKENS = {
  specialTokens: { bos_token: "<s>", eos_token: "</s>", pad_token: "<unk>" },
  control: ["[INST]", "[/INST]", "<<SYS>>", "<</SYS>>", "<pad>", "[PAD]"],
  looseSpaces: true,
};

const CHATML = {
  source:
    "{% for m in messages %}{{ '<|im_start|>' ~ m.role ~ '\n' ~ m.content ~ '<|im_end|>\n' }}{% endfor %}" +
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}",
  specialTokens: { eos_token: "<|im_end|>", pad_token: "<|endoftext|>" },
  control: ["<|im_start|>"],
  looseSpaces: false,
};

const llama3 = (systemPrefix: string): string =>
  "{{ bos_token }}" +
  "{% macro turn(role, content) %}{{ '<|start_header_id|>' ~ role ~ '<|end_header_id|>\n\n' ~ content ~ '<|eot_id|>' }}{% endmacro %}" +
  systemPrefix +
  "{{ turn(m.role, m.content | trim) }}{% endfor %}" +
  "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}";

/** Text between `[INST]` and the answer, in the two ways that the family writes spaces. */
const inst = (beforeEnd: string, contents: string): string =>
  "{% for m in messages %}" +
  `{% if m.role == 'user' %}{{ ${contents} ~ '${beforeEnd}[/INST]' }}` +
  "{% elif m.role == 'assistant' %}{{ ' ' ~ m.content ~ eos_token }}" +
  "{% else %}{{ raise_exception('only users and assistants speak here') }}{% endif %}{% endfor %}";

const NAMED: Readonly<Record<string, Omit<PolicyTemplate, "name">>> = {
  chatml: CHATML,
  qwen: CHATML,
  llama3: { source: llama3("{% for m in messages %}"), ...LLAMA3_TOKENS },
  "llama3.1": {
    source: llama3(
      "{% set given = messages[0].role == 'system' %}" +
        "{{ turn('system', 'Cutting Knowledge Date: December 2023\nToday Date: ' ~ (date_string if date_string is defined else '26 Jul 2024')" +
        " ~ '\n\n' ~ (messages[0].content | trim if given else '')) }}" +
        "{% for m in (messages[1:] if given else messages) %}",
    ),
    ...LLAMA3_TOKENS,
  },
  llama2: {
    source:
      "{% set given = messages[0].role == 'system' %}{% for m in (messages[1:] if given else messages) %}" +
      "{% if m.role == 'user' %}{{ bos_token ~ '[INST] ' ~ ('<<SYS>>\n' ~ messages[0].content ~ '\n<</SYS>>\n\n' if given and loop.first else '')" +
      " ~ m.content | trim ~ ' [/INST]' }}{% else %}{{ ' ' ~ m.content | trim ~ ' ' ~ eos_token }}{% endif %}{% endfor %}",
    ...INST_TOKENS,
  },
  mistral: { source: `{{ bos_token }}${inst(" ", "'[INST] ' ~ m.content")}`, ...INST_TOKENS },
  "mistral-v3": { source: `{{ bos_token }}${inst("", "'[INST] ' ~ m.content")}`, ...INST_TOKENS },
  gemma: {
    source:
      "{{ bos_token }}{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no system turn') }}{% endif %}" +
      "{{ '<start_of_turn>' ~ ('model' if m.role == 'assistant' else m.role) ~ '\n' ~ m.content | trim ~ '<end_of_turn>\n' }}{% endfor %}" +
      "{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}",
    specialTokens: { bos_token: "<bos>", eos_token: "<eos>", pad_token: "<pad>" },
    control: ["<start_of_turn>", "<end_of_turn>"],
    looseSpaces: false,
  },
  phi3: {
    source:
      "{% for m in messages %}{{ '<|' ~ m.role ~ '|>\n' ~ m.content ~ '<|end|>\n' }}{% endfor %}" +
      "{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %}",
    specialTokens: { bos_token: "<s>", eos_token: "<|end|>", pad_token: "<|endoftext|>" },
    control: ["<|user|>", "<|assistant|>", "<|system|>"],
    looseSpaces: true,
  },
  zephyr: {
    source:
      "{% for m in messages %}{{ '<|' ~ m.role ~ '|>\n' ~ m.content ~ eos_token ~ '\n' }}{% endfor %}" +
      "{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %}",
    specialTokens: { bos_token: "<s>", eos_token: "</s>", pad_token: "<unk>" },
    control: ["<|user|>", "<|assistant|>", "<|system|>"],
    looseSpaces: true,
  },
};
