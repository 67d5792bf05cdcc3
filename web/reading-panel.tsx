import { useState } from "preact/hooks";
import { fixed, signed } from "../src/report/numbers.ts";
import type { Comparison, Objective, TraceUnit } from "../src/reward-model.ts";
import { letter } from "../src/scoring/explanation.ts";
import { Badge } from "./badge.tsx";
import { HeatText } from "./heat-text.tsx";
import { type Run, RunChart } from "./run-chart.tsx";
import { type RewardRun, rewardRun, WHOLE_SCORE } from "./run-of-rewards.ts";
import { Scroll } from "./scroll.tsx";
import { spokenText } from "./step-name.ts";

interface ReadingPanelProps {
  readonly comparison: Comparison;
  readonly objectives: readonly Objective[];
  /** Asks the server for finer or coarser steps. */
  readonly onUnit: (unit: TraceUnit) => void;
  readonly busy: boolean;
}

/** Steps are counted within one answer, and by one unit: elsewhere the number means another text. */
interface FollowedStep {
  readonly answer: number;
  readonly unit: TraceUnit;
  readonly step: number;
}

/** How the score, or one objective's reward, moves as an answer is read. */
export function ReadingPanel({ comparison, objectives, onUnit, busy }: ReadingPanelProps) {
  const { ranking, responses } = comparison;
  const [objective, setObjective] = useState(WHOLE_SCORE);
  const [chosen, setChosen] = useState<number | null>(null);
  const [followed, setFollowed] = useState<FollowedStep | null>(null);
  const index = chosen ?? ranking[0]!;
  const known = objectives.some(({ name }) => name === objective) ? objective : WHOLE_SCORE;
  const runs = ranking.flatMap((answer): Run[] => {
    const run = rewardRun(responses[answer]!, known);
    return run === null ? [] : [{ answer, run }];
  });
  const current = runs.find(({ answer }) => answer === index)?.run;
  if (current === undefined) return null;
  const largest = Math.max(...runs.flatMap(({ run }) => run.steps.map(({ change }) => Math.abs(change))));
  const what = known === WHOLE_SCORE ? "score" : known;
  const unit = responses[index]!.trace!.unit;
  const step = followed?.answer === index && followed.unit === unit ? followed.step : null;
  return (
    <section class="panel reading" aria-labelledby="reading-title">
      <h2 id="reading-title">Along the text</h2>
      <p class="lead">
        The reward as it would stand if the answer ended here. Text is <span class="key up">blue</span> where
        it raises the {what} and <span class="key down">orange</span> where it lowers it; arrow keys go from
        step to step.
      </p>
      <div class="choosers wide">
        <fieldset class="letters">
          <legend>Answer</legend>
          {ranking.map((answer, place) => (
            <label key={answer}>
              <input
                type="radio"
                name="read"
                aria-label={`Read answer ${letter(answer)}`}
                checked={answer === index}
                onChange={() => setChosen(answer)}
              />
              <Badge index={answer} best={place === 0} />
            </label>
          ))}
        </fieldset>
        {objectives.length > 1 && (
          <label class="chooser">
            Follow
            <select value={known} onChange={(event) => setObjective(event.currentTarget.value)}>
              <option value={WHOLE_SCORE}>the score</option>
              {objectives.map(({ name }) => (
                <option key={name} value={name}>
                  {name}
                </option>
              ))}
            </select>
          </label>
        )}
        <label class="chooser">
          by
          <select
            value={unit}
            disabled={busy}
            onChange={(event) => onUnit(event.currentTarget.value as TraceUnit)}
          >
            <option value="sentence">sentences</option>
            <option value="token">tokens</option>
          </select>
        </label>
      </div>
      <div class="reading-columns">
        <HeatText
          run={current}
          largest={largest}
          label={`Answer ${letter(index)}, ${what} by ${unit}`}
          step={step}
          onStep={(to) => setFollowed(to === null ? null : { answer: index, unit, step: to })}
        />
        <div>
          <RunChart runs={runs} current={index} step={step} what={what} />
          <p class="readout">{readout(current, step, what)}</p>
        </div>
      </div>
      <StepTable run={current} what={what} />
    </section>
  );
}

/** The numbers of the step in focus, or of the whole answer. */
function readout({ start, steps }: RewardRun, index: number | null, what: string): string {
  const step = index === null ? undefined : steps[index];
  if (step === undefined) {
    return `${what}: ${fixed(start, 4)} before the answer, ${fixed(steps.at(-1)?.level, 4)} at its end`;
  }
  const isEnd = index === steps.length - 1;
  const where = isEnd ? "the end of the turn" : `step ${index! + 1} of ${steps.length}`;
  return `${what} after ${where}: ${fixed(step.level, 4)} (${signed(step.change, 4)})`;
}

/** The chart's numbers as text. */
function StepTable({ run, what }: { readonly run: RewardRun; readonly what: string }) {
  return (
    <details>
      <summary>Steps as a table</summary>
      <Scroll label="Steps as a table">
        <table class="plain">
          <thead>
            <tr>
              <th scope="col">text</th>
              <th scope="col" class="number">
                {what}
              </th>
              <th scope="col" class="number">
                change
              </th>
            </tr>
          </thead>
          <tbody>
            <tr>
              <td>
                <em>before the answer</em>
              </td>
              <td class="number">{fixed(run.start, 4)}</td>
              <td />
            </tr>
            {run.steps.map(({ text, level, change }, i) => (
              <tr key={i}>
                <td class="step-text">{nameOf(text, i === run.steps.length - 1)}</td>
                <td class="number">{fixed(level, 4)}</td>
                <td class="number">{signed(change, 4)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
    </details>
  );
}

/** A step's text, or in words what it is instead of one. */
function nameOf(text: string, isEnd: boolean) {
  const spoken = spokenText(text, isEnd);
  return spoken === text ? text : <em>{spoken}</em>;
}
