import { fixed, signed } from "../src/report/numbers.ts";
import type { Comparison, Objective } from "../src/reward-model.ts";
import { letter } from "../src/scoring/explanation.ts";
import { Badge } from "./badge.tsx";
import { Bar, barScale } from "./bar.tsx";
import { objectivesBySize } from "./by-size.ts";
import { Scroll } from "./scroll.tsx";

interface ContributionsPanelProps {
  readonly comparison: Comparison;
  readonly objectives: readonly Objective[];
}

/** What each score is made of: one bar per objective and answer, all on one scale. */
export function ContributionsPanel({ comparison, objectives }: ContributionsPanelProps) {
  const { ranking, responses } = comparison;
  const answers = ranking.map((index) => responses[index]!);
  const names = objectivesBySize(answers.map(({ contributions }) => contributions));
  const isSteered = answers.some(({ unsteered }) => unsteered);
  const all = answers.flatMap(({ contributions, unsteered }) => [
    ...Object.values(contributions),
    ...Object.values(unsteered?.contributions ?? {}),
  ]);
  const scale = barScale(all);
  const sources = new Map(objectives.map(({ name, source }) => [name, source]));
  return (
    <section class="panel" aria-labelledby="contributions-title">
      <h2 id="contributions-title">What the scores are made of</h2>
      <p class="lead">
        Contribution = coefficient · reward. A column sums to its score exactly. All bars share one scale
        {isSteered ? "; a mark shows where a bar ends unsteered" : ""}.
      </p>
      <Scroll label="Contributions by objective and answer">
        <table class="matrix" style={{ "--answers": ranking.length }}>
          <thead>
            <tr>
              <th scope="col">objective</th>
              {ranking.map((index, place) => (
                <th scope="col" key={index}>
                  <Badge index={index} best={place === 0} />
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {names.map((name) => (
              <tr key={name}>
                <th scope="row">
                  {name}
                  {sources.get(name) !== undefined && <small> {sources.get(name)}</small>}
                </th>
                {answers.map(({ contributions, unsteered }, place) => (
                  <td key={ranking[place]}>
                    <span class="number">{signed(contributions[name], 4)}</span>
                    <Bar value={contributions[name]!} scale={scale} mark={unsteered?.contributions[name]} />
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
          <tfoot>
            <tr>
              <th scope="row">score</th>
              {answers.map(({ score }, place) => (
                <td key={ranking[place]}>
                  <span class="number">{fixed(score, 4)}</span>
                </td>
              ))}
            </tr>
          </tfoot>
        </table>
      </Scroll>
      <Coefficients comparison={comparison} names={names} />
    </section>
  );
}

/** The two factors behind every bar. Coefficients are the gate's weights after length has been taken out. */
function Coefficients({
  comparison: { ranking, responses },
  names,
}: {
  readonly comparison: Comparison;
  readonly names: readonly string[];
}) {
  return (
    <details>
      <summary>Coefficients and rewards</summary>
      <Scroll label="Coefficients and rewards">
        <table class="plain">
          <thead>
            <tr>
              <th scope="col">objective</th>
              <th scope="col" class="number">
                coefficient
              </th>
              {ranking.map((index) => (
                <th scope="col" class="number" key={index}>
                  reward {letter(index)}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {names.map((name) => (
              <tr key={name}>
                <th scope="row">{name}</th>
                <td class="number">{signed(responses[0]!.coefficients[name], 4)}</td>
                {ranking.map((index) => (
                  <td class="number" key={index}>
                    {fixed(responses[index]!.rewards[name], 4)}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
    </details>
  );
}
