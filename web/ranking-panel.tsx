import { useRef } from "preact/hooks";
import { fixed, percent } from "../src/report/numbers.ts";
import type { Comparison } from "../src/reward-model.ts";
import { letter } from "../src/scoring/explanation.ts";
import { Badge } from "./badge.tsx";
import { Bar, barScale } from "./bar.tsx";
import { useSettling } from "./settle.ts";
import { placesGained } from "./steering-choice.ts";

interface RankingPanelProps {
  readonly answers: readonly string[];
  /** As the model ranks, and as it ranks under steering; the same where nothing steers. */
  readonly unsteered: Comparison;
  readonly comparison: Comparison;
  readonly onExport: () => void;
}

/** The answers, best first, with their scores; under steering, beside what they would be without it. */
export function RankingPanel({ answers, unsteered, comparison, onExport }: RankingPanelProps) {
  const list = useRef<HTMLOListElement>(null);
  const { ranking, responses, pairs } = comparison;
  useSettling(list, ranking);
  const isSteered = comparison !== unsteered;
  const gained = placesGained(unsteered.ranking, ranking);
  const scale = barScale([...responses, ...unsteered.responses].map(({ score }) => score));
  return (
    <section class="panel ranking-panel" aria-labelledby="ranking-title">
      <header class="panel-head">
        <h2 id="ranking-title" tabIndex={-1}>
          Ranking
        </h2>
        <button type="button" class="quiet-button" onClick={onExport}>
          Export as JSON
        </button>
      </header>
      <ol class="ranking" ref={list}>
        {ranking.map((index, place) => {
          const { score } = responses[index]!;
          const next = ranking[place + 1];
          const probability = pairs[place]?.probability;
          return (
            <li key={index} data-answer={index} class={place === 0 ? "first" : ""}>
              <Badge index={index} best={place === 0} />
              <div class="ranked">
                <p class="snippet">{answers[index]!.trim() === "" ? <em>empty</em> : answers[index]}</p>
                <Bar
                  value={score}
                  scale={scale}
                  mark={isSteered ? unsteered.responses[index]!.score : undefined}
                />
                <p class="facts">
                  {next !== undefined && probability != null && (
                    <span>
                      beats {letter(next)} with {percent(probability)}
                    </span>
                  )}
                  {isSteered && (
                    <span class="before">
                      unsteered {fixed(unsteered.responses[index]!.score, 4)}, place{" "}
                      {unsteered.ranking.indexOf(index) + 1}
                    </span>
                  )}
                  <Move places={gained.get(index)!} />
                </p>
              </div>
              <span class="score">
                <span class="unseen">score </span>
                {fixed(score, 4)}
              </span>
            </li>
          );
        })}
      </ol>
      <p class="note">
        Scores are real numbers, not probabilities: compare them for this conversation only.
        {pairs[0]?.probability === null &&
          " This model was trained without a scale of margins: it gives no probabilities."}
      </p>
    </section>
  );
}

function Move({ places }: { readonly places: number }) {
  if (places === 0) return null;
  const count = `${Math.abs(places)} place${Math.abs(places) === 1 ? "" : "s"}`;
  return (
    <span class={places > 0 ? "move up" : "move down"}>
      {places > 0 ? `▲ up ${count}` : `▼ down ${count}`}
    </span>
  );
}
