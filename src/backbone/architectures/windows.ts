// Which layers see the whole sequence, and which only a window of it.

import {
  type Config,
  countField,
  flagField,
  malformed,
  optionalSizeField,
  unsupported,
} from "./config-fields.ts";

/** Tokens that each layer's attention sees, the token itself included; null: all before it. */
export type Windows = readonly (number | null)[];

/** The same window, or none, in every layer. */
export function windowEverywhere(config: Config, layers: number): Windows {
  return new Array(layers).fill(optionalSizeField(config, "sliding_window"));
}

/** Windows in the layers 0, 2, 4, …, unless `layer_types` says which. */
export function windowInEvenLayers(config: Config, layers: number): Windows {
  const window = optionalSizeField(config, "sliding_window");
  return windowsOf(config, window, layers, (layer) => layer % 2 === 0);
}

/** With `use_sliding_window`, windows from layer `max_window_layers` on, unless `layer_types` says which. */
export function windowInUpperLayers(config: Config, layers: number): Windows {
  const window = flagField(config, "use_sliding_window") ? optionalSizeField(config, "sliding_window") : null;
  return windowsOf(config, window, layers, (layer) => layer >= countField(config, "max_window_layers"));
}

function windowsOf(
  config: Config,
  window: number | null,
  layers: number,
  isWindowed: (layer: number) => boolean,
): Windows {
  const types = config.layer_types ?? null;
  if (types === null) {
    return Array.from({ length: layers }, (_, layer) =>
      window !== null && isWindowed(layer) ? window : null,
    );
  }
  if (!Array.isArray(types) || types.length !== layers) {
    throw malformed("layer_types", `a list of ${layers} types`, types);
  }
  return types.map((type) => {
    if (type === "full_attention") return null;
    if (type !== "sliding_attention") throw unsupported(`layer_types ${JSON.stringify(type)}`);
    if (window === null) throw malformed("layer_types", "full_attention where no window is set", type);
    return window;
  });
}
