// vLLM's pooling server: `/v1/embeddings` for last tokens, `/pooling` for more than one row of a list.
// Sources: vllm/config/pooler.py, vllm/entrypoints/pooling/{embed,pooling}/, vllm/model_executor/layers/pooler/tokwise/methods.py.

import type { Pooling } from "../../checkpoint/remote-location.ts";
import { type Answer, countOrNull, type Dialect, type Fault, field, readRows } from "./dialect.ts";
import { stepId } from "./plan.ts";

const poolerConfig = (pooling: Pooling): string => {
  if (pooling === "last") return '{"pooling_type":"LAST","use_activation":false}';
  if (pooling === "all") return '{"task":"token_embed","tok_pooling_type":"ALL","use_activation":false}';
  return `{"task":"token_embed","tok_pooling_type":"STEP","step_tag_id":${stepId(pooling)},"use_activation":false}`;
};

const flags = (pooling: Pooling): string =>
  `--runner pooling --convert embed --pooler-config '${poolerConfig(pooling)}'`;

export const vllm: Dialect = {
  steps: true,
  path: (pooling) => (pooling === "last" ? "/v1/embeddings" : "/pooling"),
  body: (input, model, pooling) => ({
    model,
    input,
    encoding_format: "base64",
    embed_dtype: "float32",
    endianness: "little",
    use_activation: false,
    ...(pooling === "last" ? {} : { task: "token_embed" }),
  }),
  read(answer): Answer | null {
    const data = field(answer, "data");
    if (!Array.isArray(data)) return null;
    return {
      lists: data.map((item) => ({
        index: field(item, "index"),
        ...readRows(field(item, "embedding") ?? field(item, "data")),
      })),
      promptTokens: countOrNull(field(field(answer, "usage"), "prompt_tokens")),
    };
  },
  readModels(answer) {
    const data = field(answer, "data");
    if (!Array.isArray(data)) return [];
    return data.map((model) => ({
      name: String(field(model, "id")),
      maxTokens: countOrNull(field(model, "max_model_len")),
      hiddenSize: null,
      dtype: null,
    }));
  },
  remedy(fault: Fault, pooling) {
    if (fault === "normalized") {
      return `start vLLM with ${flags(pooling)} (before 0.16 the last word is "normalize":false)`;
    }
    if (fault === "truncated") return "start vLLM with a --max-model-len that holds the longest conversation";
    if (fault === "rows")
      return `start vLLM with ${flags(pooling)}, or name its pooling in the location (pooling=last, all, step:ID)`;
    if (fault === "width")
      return "serve the checkpoint that the location names behind #, without a projection and without dimensions";
    if (fault === "not-finite")
      return "serve it with --dtype bfloat16 or float32: values may outgrow float16";
    return "send requests to vLLM itself: something between changes its answers";
  },
  serve: (pooling) => `vllm serve MODEL ${flags(pooling)}`,
};
