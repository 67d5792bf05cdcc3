import type { AddedToken } from "./added-tokens.ts";
import type { ChatFiles } from "./chat-files.ts";
import type { ChatTemplate } from "./chat-template.ts";
import type { EncodedStretch, Tokenizer } from "./tokenizer.ts";

/** Added tokens that steer the model; see `openChat`. */
export function controlTokens(
  { specialTokens }: ChatFiles,
  tokenizer: Tokenizer,
  template: ChatTemplate,
): AddedToken[] {
  const written = new Set(tokenizer.encode(renderProbe(template) ?? "").map(({ token }) => token?.id));
  const named = new Set(Object.values(specialTokens));
  // Phi-3 forgets to flag </s>; where the BOS token is another one, it is just a tag of HTML.
  named.add((specialTokens.bos_token ?? "").replace(/^</, "</"));
  return tokenizer.addedTokens.filter(
    ({ id, content, special }) =>
      content.trim() !== "" &&
      (special || named.has(content) || written.has(id) || /^<[|｜].+[|｜]>$/u.test(content)),
  );
}

/** The checkpoint's BOS token, or null if it names none. */
export function bosTokenOf(files: ChatFiles, tokenizer: Tokenizer): AddedToken | null {
  const { bos_token: text } = files.specialTokens;
  return tokenizer.addedTokens.find(({ content }) => content === text) ?? null;
}

/**
 * What decided whether conversations begin with BOS: how the checkpoint is known to have been trained; the template, which writes it; `add_bos_token` of
 * `tokenizer_config.json`; the post-processor of `tokenizer.json`, which adds it; that none of them does, or that the
 * checkpoint has no BOS token; or the caller, against all that.
 */
export type BosRule =
  | "caller"
  | "training"
  | "template"
  | "add_bos_token"
  | "post_processor"
  | "nothing-adds-it"
  | "no-bos-token";

/** Whether conversations begin with BOS, and why; see `openChat`. */
export function decideBos(
  asked: "on" | "off" | undefined,
  trained: "on" | "off" | undefined,
  files: ChatFiles,
  tokenizer: Tokenizer,
  template: ChatTemplate,
  bosToken: AddedToken | null,
): { bos: "on" | "off"; rule: BosRule } {
  const written = checkpointBos(files, tokenizer, template, bosToken);
  const own: typeof written =
    trained === undefined || trained === written.bos ? written : { bos: trained, rule: "training" };
  return asked === undefined || asked === own.bos ? own : { bos: asked, rule: "caller" };
}

function checkpointBos(
  files: ChatFiles,
  tokenizer: Tokenizer,
  template: ChatTemplate,
  bosToken: AddedToken | null,
): { bos: "on" | "off"; rule: BosRule } {
  if (bosToken === null) return { bos: "off", rule: "no-bos-token" };
  const probe = renderProbe(template);
  if (probe !== null && leadingTokens(tokenizer.encode(probe), probe, bosToken.id).length > 0) {
    return { bos: "on", rule: "template" };
  }
  const { add_bos_token: add } = files.config;
  if (typeof add === "boolean") return { bos: add ? "on" : "off", rule: "add_bos_token" };
  return postProcessorBegins(files.tokenizer, bosToken.content)
    ? { bos: "on", rule: "post_processor" }
    : { bos: "off", rule: "nothing-adds-it" };
}

/** Positions at which a token stands at the beginning of an encoding, before anything but white space. */
export function leadingTokens(
  stretches: readonly EncodedStretch[],
  text: string,
  id: number | null,
): number[] {
  const positions: number[] = [];
  let position = 0;
  for (const { start, end, ids } of stretches) {
    // An added token that matches normalized text stands inside a stretch of plain text.
    const others = ids.findIndex((each) => each !== id);
    const leading = others === -1 ? ids.length : others;
    for (let index = 0; index < leading; index += 1) positions.push(position + index);
    if (leading < ids.length && text.slice(start, end).trim() !== "") break;
    position += ids.length;
  }
  return positions;
}

function renderProbe(template: ChatTemplate): string | null {
  try {
    return template.render([{ role: "user", content: "x" }], true);
  } catch {
    return null;
  }
}

interface PostProcessor {
  processors?: PostProcessor[];
  single?: { SpecialToken?: { id?: string } }[];
}

/** Whether a `TemplateProcessing` step begins every text with `token`. */
function postProcessorBegins(tokenizerJson: unknown, token: string): boolean {
  const begins = (processor: PostProcessor | null | undefined): boolean =>
    processor?.single?.[0]?.SpecialToken?.id === token || (processor?.processors ?? []).some(begins);
  return begins((tokenizerJson as { post_processor?: PostProcessor }).post_processor);
}
