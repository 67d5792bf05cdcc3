// From numbers to places on a drawing.

export interface Scale {
  (value: number): number;
  readonly domain: readonly [number, number];
}

/** A straight scale. A domain without width is widened, so that no place is NaN. */
export function linear([low, high]: readonly [number, number], [from, to]: readonly [number, number]): Scale {
  const width = high - low || 1;
  return Object.assign((value: number) => from + ((value - low) / width) * (to - from), {
    domain: [low, low + width] as const,
  });
}

/** Round numbers across a domain: about `count`, a step of 1, 2 or 5 times a power of ten apart. */
export function ticks([low, high]: readonly [number, number], count: number): number[] {
  const rough = (high - low) / Math.max(1, count);
  if (!(rough > 0 && Number.isFinite(rough))) return [low];
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5].find((factor) => factor * power >= rough * 0.999) ?? 10);
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, i) =>
    Number(((first + i) * step).toPrecision(12)),
  );
}

/** Smallest and largest, with a share of the width as margin. */
export function extent(values: readonly number[], margin = 0): [number, number] {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  const space = (high - low || Math.abs(high) || 1) * margin;
  return [low - space, high + space];
}

/** A place as SVG writes it: hundredths of a pixel are enough. */
export const at = (value: number): string => String(Math.round(value * 100) / 100);
