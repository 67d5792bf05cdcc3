import { at, linear, type Scale } from "../src/report/scale.ts";

interface BarProps {
  readonly value: number;
  /** Shared by all bars that are to be compared. */
  readonly scale: Scale;
  /** A second value, as a mark: where the bar would end without steering. */
  readonly mark?: number | undefined;
}

/** A bar from 0, to either side. Its number stands beside it as text, so it says nothing to screen readers. */
export function Bar({ value, scale, mark }: BarProps) {
  const [zero, end] = [scale(0), scale(value)];
  return (
    <svg class="bar" width="100%" height="14" aria-hidden="true">
      <rect class="track" x="0" width="100%" y="3" height="8" rx="2" />
      <rect
        class={value < 0 ? "fill negative" : "fill"}
        x={`${at(Math.min(zero, end))}%`}
        width={`${at(Math.abs(end - zero))}%`}
        y="3"
        height="8"
        rx="2"
      />
      <line class="zero" x1={`${at(zero)}%`} x2={`${at(zero)}%`} y1="0" y2="14" />
      {mark !== undefined && (
        <line class="mark" x1={`${at(scale(mark))}%`} x2={`${at(scale(mark))}%`} y1="0" y2="14" />
      )}
    </svg>
  );
}

/** A scale in per cent of a bar's width, which holds 0 and all values; the ends stay clear of the edge. */
export const barScale = (values: readonly number[]): Scale =>
  linear([Math.min(0, ...values), Math.max(0, ...values)], [0.5, 99.5]);
