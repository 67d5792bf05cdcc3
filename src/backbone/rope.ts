// Rotary position embedding: pair i of a head of size D turns by position · f_i.
//
// P positions, D rotated size, f [D/2] frequencies.

/** How the frequencies of a model are stretched beyond the length it was first trained on. */
export type RopeScaling =
  | { readonly kind: "default" }
  | { readonly kind: "linear"; readonly factor: number }
  | {
      readonly kind: "llama3";
      readonly factor: number;
      readonly lowFrequencyFactor: number;
      readonly highFrequencyFactor: number;
      /** Tokens of the first training, before the stretch. */
      readonly originalMaxTokens: number;
    };

export interface Rope {
  /** D, even. */
  readonly size: number;
  readonly theta: number;
  readonly scaling: RopeScaling;
}

/** Cosines and sines of the positions 0 … P − 1, each `[P, D/2]`. */
export interface RopeTable {
  /** P */
  readonly positions: number;
  /** D/2 */
  readonly pairs: number;
  readonly cos: Float32Array;
  readonly sin: Float32Array;
}

/**
 * The angle per position of each pair: f_i = θ^(−2i/D), then scaled.
 *
 * linear: f/factor. llama3: wavelengths above original/low are divided by the factor, those below original/high are
 * kept, and between the two the result goes over linearly in original/wavelength.
 * Source: `modeling_rope_utils.py` of transformers; Llama 3.1.
 */
export function ropeFrequencies({ size, theta, scaling }: Rope): Float64Array {
  const plain = Float64Array.from({ length: size / 2 }, (_, i) => theta ** ((-2 * i) / size));
  switch (scaling.kind) {
    case "default":
      return plain;
    case "linear":
      return plain.map((f) => f / scaling.factor);
    case "llama3": {
      const { factor, lowFrequencyFactor: low, highFrequencyFactor: high, originalMaxTokens } = scaling;
      return plain.map((f) => {
        const turns = (originalMaxTokens * f) / (2 * Math.PI);
        const kept = Math.min(1, Math.max(0, (turns - low) / (high - low)));
        return kept * f + ((1 - kept) * f) / factor;
      });
    }
  }
}

/** Angles in double precision, rounded once at the end. Cost: P · D/2 sines and cosines. */
export function ropeTable(rope: Rope, positions: number): RopeTable {
  const frequencies = ropeFrequencies(rope);
  const pairs = frequencies.length;
  const cos = new Float32Array(positions * pairs);
  const sin = new Float32Array(positions * pairs);
  for (let position = 0; position < positions; position++) {
    for (let i = 0; i < pairs; i++) {
      const angle = position * frequencies[i]!;
      cos[position * pairs + i] = Math.cos(angle);
      sin[position * pairs + i] = Math.sin(angle);
    }
  }
  return { positions, pairs, cos, sin };
}
