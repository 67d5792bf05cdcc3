// The rotary embedding as config.json describes it, in the spellings of transformers 4 and 5.

import type { Rope, RopeScaling } from "../rope.ts";
import { type Config, malformed, numberField, objectField, sizeField, unsupported } from "./config-fields.ts";

const DEFAULT_THETA = 10_000;

/**
 * Reads `rope_theta`, `rope_scaling` and `partial_rotary_factor`, or `rope_parameters`, which joins them.
 *
 * `dynamic` scaling changes nothing up to `max_position_embeddings`, and no longer sequence is taken.
 *
 * @param headSize D of a head; a share of it is rotated, rounded down.
 * @param partial Whether the family rotates a share of a head.
 * @throws {InputError} `unsupported-model` for other scalings and for parameters by layer type; `malformed-config`.
 */
export function ropeOf(config: Config, headSize: number, partial: boolean): Rope {
  const joined = objectField(config, "rope_parameters") ?? {};
  const separate = objectField(config, "rope_scaling") ?? {};
  const scaling = scalingOf(separate, "rope_scaling") ?? scalingOf(joined, "rope_parameters");
  const other = scalingOf(joined, "rope_parameters") ?? scaling;
  if (JSON.stringify(other) !== JSON.stringify(scaling)) {
    throw malformed("rope_scaling", "the scaling that rope_parameters names", separate);
  }
  const fields = { ...config, ...dropNull(separate), ...dropNull(joined) };
  const theta = numberField(fields, "rope_theta", DEFAULT_THETA);
  const share = numberField(fields, "partial_rotary_factor", 1);
  if (share > 1) throw malformed("partial_rotary_factor", "at most 1", share);
  if (share !== 1 && !partial) throw unsupported(`partial_rotary_factor ${share}`);
  const size = Math.floor(headSize * share);
  if (size === 0 || size % 2 !== 0) {
    throw unsupported(`rotating ${size} of head_dim ${headSize}, which has no pairs`);
  }
  return { size, theta, scaling: scaling ?? { kind: "default" } };
}

const dropNull = (config: Config): Config =>
  Object.fromEntries(Object.entries(config).filter(([, value]) => value !== null));

/** The scaling that a field holds, or null where it names none. */
function scalingOf(scaling: Config, field: string): RopeScaling | null {
  const perType = Object.keys(scaling).find((key) => isObject(scaling[key]));
  if (perType !== undefined) throw unsupported(`${field} by layer type (${perType})`);
  const kind = scaling.rope_type ?? scaling.type ?? null;
  switch (kind) {
    case null:
      if ((scaling.factor ?? null) === null) return null;
      throw malformed(`rope_type of ${field}`, "the kind of scaling that its factor belongs to", kind);
    case "default":
    case "dynamic":
      return { kind: "default" };
    case "linear":
      return { kind: "linear", factor: numberField(scaling, "factor") };
    case "llama3":
      return {
        kind: "llama3",
        factor: numberField(scaling, "factor"),
        lowFrequencyFactor: numberField(scaling, "low_freq_factor"),
        highFrequencyFactor: numberField(scaling, "high_freq_factor"),
        originalMaxTokens: sizeField(scaling, "original_max_position_embeddings"),
      };
    default:
      throw unsupported(`${field} of type ${JSON.stringify(kind)}`);
  }
}

const isObject = (value: unknown): boolean =>
  typeof value === "object" && value !== null && !Array.isArray(value);
