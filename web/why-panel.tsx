import { useState } from "preact/hooks";
import { signed } from "../src/report/numbers.ts";
import type { Comparison } from "../src/reward-model.ts";
import { explainComparison, explainGate, explainScore, letter } from "../src/scoring/explanation.ts";
import { compareScores, rankingChange } from "../src/scoring/ranking.ts";
import { Bar, barScale } from "./bar.tsx";
import { bySize } from "./by-size.ts";

interface WhyPanelProps {
  readonly comparison: Comparison;
  readonly marginScale: number | null;
}

/** Why one answer beats another: in words, and objective by objective. */
export function WhyPanel({ comparison, marginScale }: WhyPanelProps) {
  const { ranking, responses } = comparison;
  const [chosen, setChosen] = useState<readonly [number, number] | null>(null);
  const [one, other] = chosen ?? [ranking[0]!, ranking[1]!];
  const pair = pairOf(comparison, one, other, marginScale);
  const differences = bySize(pair.contributions);
  const scale = barScale(differences.map(([, value]) => value));
  const gate = explainGate(responses[0]!.gatingOutput);
  const change = rankingChange(responses);
  const choose = (place: 0 | 1, index: number) => {
    const kept = place === 0 ? other : one;
    // Choosing what stands on the other side swaps the two.
    const moved = kept === index ? (place === 0 ? one : other) : kept;
    setChosen(place === 0 ? [index, moved] : [moved, index]);
  };
  return (
    <section class="panel why" aria-labelledby="why-title">
      <header class="panel-head">
        <h2 id="why-title">
          Why {letter(pair.better)} {pair.margin === 0 ? "ties with" : "beats"} {letter(pair.worse)}
        </h2>
        {ranking.length > 2 && (
          <div class="choosers">
            <AnswerSelect
              label="Compare"
              ranking={ranking}
              value={one}
              onChange={(index) => choose(0, index)}
            />
            <AnswerSelect
              label="with"
              ranking={ranking}
              value={other}
              onChange={(index) => choose(1, index)}
            />
          </div>
        )}
      </header>
      <p class="sentence" data-testid="why">
        {explainComparison(pair)}.
      </p>
      {change !== null && (
        <p class="sentence steering-change">
          Steering gives place {change.place + 1} to {letter(change.now)} instead of {letter(change.before)}:
          it moves the margin between them by {signed(change.moved, 4)} (
          {bySize(change.contributions)
            .slice(0, 3)
            .map(([name, value]) => `${name} ${signed(value, 4)}`)
            .join(", ")}
          ).
        </p>
      )}
      {differences.length > 1 && (
        <table class="bars">
          <caption class="unseen">What each objective adds to the margin, largest first</caption>
          <thead class="unseen">
            <tr>
              <th scope="col">Objective</th>
              <th scope="col">Bar</th>
              <th scope="col">Adds to the margin</th>
            </tr>
          </thead>
          <tbody>
            {differences.map(([name, value]) => (
              <tr key={name}>
                <th scope="row">{name}</th>
                <td class="plot">
                  <Bar value={value} scale={scale} />
                </td>
                <td class="number">{signed(value, 4)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      <p class="note">
        {letter(ranking[0]!)}: {explainScore(responses[ranking[0]!]!)}.
        {gate !== null && ` For this prompt, ${gate}.`}
      </p>
    </section>
  );
}

/** Any two answers, the better first, with the indices that they have among all. */
function pairOf({ responses }: Comparison, one: number, other: number, marginScale: number | null) {
  const indices = [one, other];
  const [pair] = compareScores([responses[one]!, responses[other]!], marginScale).pairs;
  return { ...pair!, better: indices[pair!.better]!, worse: indices[pair!.worse]! };
}

interface AnswerSelectProps {
  readonly label: string;
  readonly ranking: readonly number[];
  readonly value: number;
  readonly onChange: (index: number) => void;
}

const AnswerSelect = ({ label, ranking, value, onChange }: AnswerSelectProps) => (
  <label class="chooser">
    {label}
    <select value={value} onChange={(event) => onChange(Number(event.currentTarget.value))}>
      {ranking.map((index) => (
        <option key={index} value={index}>
          {letter(index)}
        </option>
      ))}
    </select>
  </label>
);
