import type { AddedToken } from "./added-tokens.ts";
import type { ChatFiles } from "./chat-files.ts";

/** How conversations become text: what is needed to read such text back. */
export interface PolicyTemplate {
  readonly name: string;
  /** Jinja. */
  readonly source: string;
  /** `bos_token`, `eos_token`, `pad_token` → their text. */
  readonly specialTokens: Readonly<Record<string, string>>;
  /** Texts that no content may hold, beside those that the template itself writes. */
  readonly control: readonly string[];
  /**
   * Whether white space after a control token is lost or made up when ids are decoded, as SentencePiece tokenizers do.
   * It is then not compared.
   */
  readonly looseSpaces: boolean;
}

/** The template of a checkpoint. @param control Its control tokens. */
export function policyOf(
  name: string,
  source: string,
  { specialTokens, tokenizer }: ChatFiles,
  control: readonly AddedToken[],
): PolicyTemplate {
  const { decoder } = tokenizer as { decoder?: unknown };
  return {
    name,
    source,
    specialTokens,
    control: control.map(({ content }) => content),
    looseSpaces:
      /"type":"(Strip|Metaspace)"/.test(JSON.stringify(decoder ?? null)) ||
      control.some(({ lstrip, rstrip }) => lstrip || rstrip),
  };
}
