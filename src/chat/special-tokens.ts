import type { AddedToken } from "./added-tokens.ts";
import type { ChatFiles } from "./chat-files.ts";
import type { ChatTemplate } from "./chat-template.ts";
import type { Tokenizer } from "./tokenizer.ts";

/** Added tokens that steer the model; see `openChat`. */
export function controlTokens(tokenizer: Tokenizer, template: ChatTemplate): AddedToken[] {
  const written = new Set(tokenizer.encode(renderProbe(template) ?? "").map(({ token }) => token?.id));
  return tokenizer.addedTokens.filter(
    ({ id, content, special }) =>
      content.trim() !== "" && (special || /^<[|｜].+[|｜]>$/u.test(content) || written.has(id)),
  );
}

/** The checkpoint's BOS token, or null if it names none. */
export function bosTokenOf(files: ChatFiles, tokenizer: Tokenizer): AddedToken | null {
  const { bos_token: text } = files.specialTokens;
  return tokenizer.addedTokens.find(({ content }) => content === text) ?? null;
}

/** Whether conversations begin with BOS unless the caller decides; see `openChat`. */
export function defaultBos(
  files: ChatFiles,
  tokenizer: Tokenizer,
  template: ChatTemplate,
  bosToken: AddedToken | null,
): "on" | "off" {
  if (bosToken === null) return "off";
  const probe = renderProbe(template);
  const written = probe !== null && tokenizer.encode(probe)[0]?.ids[0] === bosToken.id;
  if (written || files.config.add_bos_token === true) return "on";
  if (files.config.add_bos_token === false) return "off";
  return postProcessorBegins(files.tokenizer, bosToken.content) ? "on" : "off";
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
