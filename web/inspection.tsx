import type { Message } from "../src/chat/messages.ts";
import { InputError } from "../src/errors.ts";
import type { Comparison, TraceUnit } from "../src/reward-model.ts";
import { letter } from "../src/scoring/explanation.ts";
import type { ServedModel } from "../src/server/service.ts";
import { ContributionsPanel } from "./contributions-panel.tsx";
import { download, exportObject } from "./export.ts";
import { RankingPanel } from "./ranking-panel.tsx";
import { RatingsPanel } from "./ratings-panel.tsx";
import { ReadingPanel } from "./reading-panel.tsx";
import { steerComparison } from "./steered.ts";
import { type SteeringChoice, steeringOf } from "./steering-choice.ts";
import { SteeringPanel } from "./steering-panel.tsx";
import { WhyPanel } from "./why-panel.tsx";

/** A comparison as the server gave it, unsteered, with what was compared. */
export interface Inspected {
  readonly id?: string | number;
  readonly prompt: readonly Message[];
  readonly texts: readonly string[];
  readonly comparison: Comparison;
}

interface InspectionProps {
  readonly model: ServedModel;
  readonly inspected: Inspected;
  readonly choice: SteeringChoice;
  readonly onChoice: (choice: SteeringChoice) => void;
  readonly onUnit: (unit: TraceUnit) => void;
  readonly busy: boolean;
}

/** Everything there is to see of one comparison. All of it follows the sliders. */
export function Inspection({ model, inspected, choice, onChoice, onUnit, busy }: InspectionProps) {
  const unsteered = inspected.comparison;
  const steering = steeringOf(choice);
  const steered = steerComparison(unsteered, steering, model);
  const error = steered instanceof InputError ? steered : null;
  const comparison = steered instanceof InputError ? unsteered : steered;
  const { objectives, marginScale } = model;
  // Which answers are looked at is chosen anew for others: these may be fewer.
  const answers = JSON.stringify([inspected.prompt, inspected.texts]);
  const exportIt = () => {
    const object = exportObject({ ...inspected, comparison }, error === null ? steering : null);
    download("comparison.json", `${JSON.stringify(object, null, 2)}\n`);
  };
  return (
    <div class="inspection">
      <p class="unseen" role="status">
        {announce(comparison, unsteered)}
      </p>
      <div class="ranking-and-gate">
        <RankingPanel
          answers={inspected.texts}
          unsteered={unsteered}
          comparison={comparison}
          onExport={exportIt}
        />
        <SteeringPanel
          objectives={objectives}
          gate={unsteered.responses[0]!.gatingOutput}
          weights={comparison.responses[0]!.gatingOutput}
          choice={choice}
          onChange={onChoice}
          error={error}
        />
      </div>
      {comparison.ranking.length > 1 && (
        <WhyPanel key={`why ${answers}`} comparison={comparison} marginScale={marginScale} />
      )}
      {objectives.length > 1 && <ContributionsPanel comparison={comparison} objectives={objectives} />}
      <ReadingPanel
        key={`reading ${answers}`}
        comparison={comparison}
        objectives={objectives}
        onUnit={onUnit}
        busy={busy}
      />
      <RatingsPanel comparison={comparison} objectives={objectives} />
    </div>
  );
}

/** What a screen reader is told when the ranking is new or changes. */
function announce({ ranking }: Comparison, { ranking: before }: Comparison): string {
  const order = ranking.map(letter).join(", ");
  const same = ranking.every((index, place) => index === before[place]);
  return same ? `Ranking: ${order}.` : `Ranking: ${order}; unsteered it is ${before.map(letter).join(", ")}.`;
}
