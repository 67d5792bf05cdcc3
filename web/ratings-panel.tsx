import { fixed } from "../src/report/numbers.ts";
import type { Comparison, Objective } from "../src/reward-model.ts";
import { Badge } from "./badge.tsx";
import { Scroll } from "./scroll.tsx";

interface RatingsPanelProps {
  readonly comparison: Comparison;
  readonly objectives: readonly Objective[];
}

/** Rewards on the scale on which people rated. Nothing is shown where no objective says which that was. */
export function RatingsPanel({ comparison: { ranking, responses }, objectives }: RatingsPanelProps) {
  const rated = objectives.filter(({ scale }) => scale !== undefined);
  if (rated.length === 0) return null;
  return (
    <section class="panel" aria-labelledby="ratings-title">
      <h2 id="ratings-title">As people would rate</h2>
      <p class="lead">
        What the model predicts for each objective, on the scale on which its data were rated. The highest of
        a row is set bold.
      </p>
      <Scroll label="Ratings by objective and answer">
        <table class="plain ratings">
          <thead>
            <tr>
              <th scope="col">objective</th>
              {ranking.map((index, place) => (
                <th scope="col" class="number" key={index}>
                  <Badge index={index} best={place === 0} />
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rated.map(({ name, source }) => {
              const highest = Math.max(...responses.map(({ ratings }) => ratings[name]!));
              return (
                <tr key={name}>
                  <th scope="row">
                    {name}
                    {source !== undefined && <small> {source}</small>}
                  </th>
                  {ranking.map((index) => {
                    const rating = responses[index]!.ratings[name]!;
                    return (
                      <td class={rating === highest ? "number highest" : "number"} key={index}>
                        {fixed(rating, 2)}
                      </td>
                    );
                  })}
                </tr>
              );
            })}
          </tbody>
        </table>
      </Scroll>
    </section>
  );
}
