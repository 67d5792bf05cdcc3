// llama.cpp's server: `/v1/embeddings` for last tokens, `/embeddings` for a row per token.
// Source: tools/server/README.md and server-context.cpp of llama.cpp.

import type { Pooling } from "../../checkpoint/remote-location.ts";
import { type Answer, countOrNull, type Dialect, type Fault, field, readRows } from "./dialect.ts";

const flags = (pooling: Pooling): string =>
  `--embeddings --pooling ${pooling === "all" ? "none" : "last"} --embd-normalize -1`;

/** `(guessed) all F32` → `f32`, `Q4_K - Medium` → `q4_k_medium` */
function dtypeOf(ftype: unknown): string | null {
  if (typeof ftype !== "string") return null;
  const name = ftype.toLowerCase().replace(/\(guessed\)|\ball\b/g, "");
  return name.match(/[a-z0-9_]+/g)?.join("_") ?? null;
}

export const llamaServer: Dialect = {
  steps: false,
  path: (pooling) => (pooling === "last" ? "/v1/embeddings" : "/embeddings"),
  body: (input, model, pooling) =>
    // Without pooling the server neither normalizes nor knows other formats than lists of numbers.
    pooling === "last" ? { model, input, encoding_format: "base64", embd_normalize: -1 } : { model, input },
  read(answer): Answer | null {
    const data = Array.isArray(answer) ? answer : field(answer, "data");
    if (!Array.isArray(data)) return null;
    return {
      lists: data.map((item) => ({ index: field(item, "index"), ...readRows(field(item, "embedding")) })),
      promptTokens: countOrNull(field(field(answer, "usage"), "prompt_tokens")),
    };
  },
  readModels(answer) {
    const data = field(answer, "data");
    if (!Array.isArray(data)) return [];
    return data.map((model) => ({
      name: String(field(model, "id")),
      maxTokens: countOrNull(field(field(model, "meta"), "n_ctx")),
      hiddenSize: countOrNull(field(field(model, "meta"), "n_embd")),
      dtype: dtypeOf(field(field(model, "meta"), "ftype")),
    }));
  },
  remedy(fault: Fault, pooling) {
    if (fault === "normalized") return `start llama-server with ${flags(pooling)}`;
    if (fault === "truncated")
      return "start llama-server with a --ctx-size that holds the longest conversation in every slot";
    if (fault === "rows")
      return `start llama-server with ${flags(pooling)}, or name its pooling in the location (pooling=last, all)`;
    if (fault === "width") return "serve the checkpoint that the location names behind #";
    if (fault === "not-finite") return "serve it from a file in BF16 or F32: values may outgrow F16";
    return "send requests to llama-server itself: something between changes its answers";
  },
  serve: (pooling) =>
    `llama-server -m MODEL.gguf ${flags(pooling)} --ctx-size N${pooling === "all" ? " --batch-size N --ubatch-size N" : ""}`,
};
