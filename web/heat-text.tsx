import type { TargetedKeyboardEvent } from "preact";
import { signed } from "../src/report/numbers.ts";
import type { RewardRun } from "./run-of-rewards.ts";
import { shownText, spokenText } from "./step-name.ts";

interface HeatTextProps {
  readonly run: RewardRun;
  /** The largest change of any answer: full heat. */
  readonly largest: number;
  readonly label: string;
  readonly step: number | null;
  readonly onStep: (step: number | null) => void;
}

/** Stronger heat would cost the text its contrast. */
const FULL_HEAT = 42;

/** An answer whose steps are coloured by what they do to a reward. A list for the keyboard: arrows, Home, End. */
export function HeatText({ run: { steps }, largest, label, step, onStep }: HeatTextProps) {
  const last = steps.length - 1;
  const move = (event: TargetedKeyboardEvent<HTMLElement>) => {
    const at = step ?? -1;
    const target = {
      ArrowRight: at + 1,
      ArrowDown: at + 1,
      ArrowLeft: at - 1,
      ArrowUp: at - 1,
      Home: 0,
      End: last,
    }[event.key];
    if (event.key === "Escape") onStep(null);
    if (target === undefined) return;
    event.preventDefault();
    const next = Math.min(last, Math.max(0, target));
    onStep(next);
    event.currentTarget.children[next]?.scrollIntoView({ block: "nearest" });
  };
  return (
    <div
      class="heat-text"
      role="listbox"
      tabIndex={0}
      aria-label={label}
      aria-activedescendant={step === null ? undefined : `step-${step}`}
      onKeyDown={move}
      onFocus={() => step === null && onStep(0)}
    >
      {steps.map(({ text, change }, i) => {
        const isEnd = i === last;
        const heat = largest === 0 ? 0 : (Math.abs(change) / largest) * FULL_HEAT;
        return (
          // biome-ignore lint/a11y/useFocusableInteractive: the list box has the focus and names the active option
          // biome-ignore lint/a11y/useKeyWithClickEvents: the list box takes the keys
          <span
            key={i}
            id={`step-${i}`}
            role="option"
            aria-selected={i === step}
            aria-label={`${spokenText(text, isEnd)}: ${signed(change, 4)}`}
            class={`step ${change < 0 ? "down" : "up"}${i === step ? " active" : ""}${isEnd ? " end" : ""}`}
            style={{ "--heat": `${heat.toFixed(1)}%` }}
            title={signed(change, 4)}
            onClick={() => onStep(i)}
          >
            {shownText(text, isEnd)}
          </span>
        );
      })}
    </div>
  );
}
