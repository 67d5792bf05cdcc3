import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { fixed } from "../src/report/numbers.ts";
import { at, extent, linear, ticks } from "../src/report/scale.ts";
import { letter } from "../src/scoring/explanation.ts";
import type { RewardRun } from "./run-of-rewards.ts";

/** An answer's run, by the answer's index. */
export interface Run {
  readonly answer: number;
  readonly run: RewardRun;
}

interface RunChartProps {
  readonly runs: readonly Run[];
  /** The answer whose line stands out. */
  readonly current: number;
  readonly step: number | null;
  readonly what: string;
}

const HEIGHT = 200;
const MARGIN = { left: 44, right: 22, top: 10, bottom: 26 };

/** Rewards along the answers: all as quiet lines, the current one with its steps as dots. */
export function RunChart({ runs, current, step, what }: RunChartProps) {
  const [frame, width] = useWidth();
  const levels = runs.flatMap(({ run }) => [run.start, ...run.steps.map(({ level }) => level)]);
  const x = linear([0, 1], [MARGIN.left, width - MARGIN.right]);
  const y = linear(extent(levels, 0.08), [HEIGHT - MARGIN.bottom, MARGIN.top]);
  const marks = ticks(y.domain, 4);
  const digits = Math.max(0, Math.min(4, Math.ceil(-Math.log10((marks[1] ?? 1) - (marks[0] ?? 0)) - 1e-9)));
  const last = [...runs].sort((a, b) => Number(a.answer === current) - Number(b.answer === current));
  return (
    <div ref={frame} class="run-chart">
      <svg width={width} height={HEIGHT} role="img" aria-label={describe(runs, what)}>
        {marks.map((mark) => (
          <g key={mark}>
            <line class="grid" x1={MARGIN.left} x2={width - MARGIN.right} y1={at(y(mark))} y2={at(y(mark))} />
            <text x={MARGIN.left - 6} y={at(y(mark) + 4)} text-anchor="end">
              {fixed(mark, digits)}
            </text>
          </g>
        ))}
        <text x={MARGIN.left} y={HEIGHT - 8}>
          start
        </text>
        <text x={width - MARGIN.right} y={HEIGHT - 8} text-anchor="end">
          end of the answer
        </text>
        {last.map(({ answer, run }) => (
          <g key={answer} class={answer === current ? "run current" : "run"}>
            <path
              d={`M${at(x(0))} ${at(y(run.start))}${run.steps.map(({ read, level }) => `L${at(x(read))} ${at(y(level))}`).join("")}`}
            />
            {answer === current &&
              run.steps.length <= 60 &&
              run.steps.map(({ read, level }, i) => (
                <circle key={i} cx={at(x(read))} cy={at(y(level))} r={i === step ? 5.5 : 3} />
              ))}
            {answer === current && run.steps.length > 60 && step !== null && run.steps[step] && (
              <circle cx={at(x(run.steps[step].read))} cy={at(y(run.steps[step].level))} r={5.5} />
            )}
            <text x={width - MARGIN.right + 6} y={at(y(run.steps.at(-1)!.level) + 4)}>
              {runs.length <= 5 || answer === current ? letter(answer) : ""}
            </text>
          </g>
        ))}
      </svg>
    </div>
  );
}

/** The lines in words; the table below has every number. */
const describe = (runs: readonly Run[], what: string): string =>
  `${what} along the text. ${runs
    .map(
      ({ answer, run }) =>
        `${letter(answer)}: from ${fixed(run.start, 3)} to ${fixed(run.steps.at(-1)?.level, 3)}`,
    )
    .join("; ")}`;

/** The width that an element has, so that text in drawings keeps its size. */
function useWidth() {
  const frame = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(480);
  useLayoutEffect(() => {
    const observer = new ResizeObserver(([entry]) =>
      setWidth(Math.max(240, Math.floor(entry!.contentRect.width))),
    );
    observer.observe(frame.current!);
    return () => observer.disconnect();
  }, []);
  return [frame, width] as const;
}
