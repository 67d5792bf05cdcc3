import { fixed } from "../src/report/numbers.ts";
import type { ByObjective, Objective } from "../src/reward-model.ts";
import { Bar, barScale } from "./bar.tsx";
import { bySize } from "./by-size.ts";
import { Problem } from "./problem.tsx";
import {
  evenMixture,
  factorOf,
  fixMixture,
  LARGEST_FACTOR,
  type SteeringChoice,
  setFactor,
  setWeight,
  steeringOf,
  UNSTEERED,
  weightOf,
} from "./steering-choice.ts";

interface SteeringPanelProps {
  readonly objectives: readonly Objective[];
  /** The gate's output for this prompt, unsteered. */
  readonly gate: ByObjective;
  /** The weights at work. */
  readonly weights: ByObjective;
  readonly choice: SteeringChoice;
  readonly onChange: (choice: SteeringChoice) => void;
  /** Why the sliders cannot be followed. */
  readonly error: { readonly message: string; readonly remedy: string } | null;
}

/** The gate's weights for this prompt, each with a slider that changes it. */
export function SteeringPanel({ objectives, gate, weights, choice, onChange, error }: SteeringPanelProps) {
  if (objectives.length < 2) return null;
  const isFixed = choice.mode === "fixed";
  const scale = barScale([...Object.values(gate), ...Object.values(weights)]);
  const sum = Object.values(gate).reduce((total, weight) => total + weight, 0);
  return (
    <section class="panel steering" aria-labelledby="steering-title">
      <header class="panel-head">
        <h2 id="steering-title">The gate, and steering it</h2>
        <button
          type="button"
          class="quiet-button"
          disabled={steeringOf(choice) === null}
          onClick={() => onChange(UNSTEERED)}
        >
          Reset
        </button>
      </header>
      <fieldset class="modes">
        <legend class="unseen">Mixture</legend>
        <label>
          <input
            type="radio"
            name="mode"
            checked={!isFixed}
            onChange={() => onChange({ ...choice, mode: "gate" })}
          />
          <span>Gate × factor</span>
        </label>
        <label>
          <input
            type="radio"
            name="mode"
            checked={isFixed}
            onChange={() => onChange(fixMixture(choice, gate))}
          />
          <span>Fixed mixture</span>
        </label>
      </fieldset>
      <p class="note">
        {isFixed ? (
          <>
            The same weights for every prompt, in the gate’s place.{" "}
            <button type="button" class="link-button" onClick={() => onChange(evenMixture(choice, gate))}>
              All alike
            </button>
          </>
        ) : (
          "How much each objective weighs for this prompt. Sliders multiply a weight by 0 to 3."
        )}
      </p>
      <ul class="sliders">
        {bySize(gate).map(([name, weight]) => {
          const factor = factorOf(choice, name);
          const changed = weights[name] !== weight;
          return (
            <li key={name}>
              <label for={`slider-${name}`}>{name}</label>
              <span class="weight">
                {changed && <s>{fixed(weight, 2)}</s>} {fixed(weights[name], 2)}
              </span>
              <Bar value={weights[name]!} scale={scale} mark={changed ? weight : undefined} />
              <input
                id={`slider-${name}`}
                type="range"
                min="0"
                max={isFixed ? Math.max(1, sum) : LARGEST_FACTOR}
                step={isFixed ? 0.01 : 0.1}
                value={isFixed ? weightOf(choice, name) : factor}
                aria-valuetext={
                  isFixed ? `weight ${fixed(weightOf(choice, name), 2)}` : `${factor} times the gate’s weight`
                }
                onInput={(event) => {
                  const value = Number(event.currentTarget.value);
                  onChange(isFixed ? setWeight(choice, name, value) : setFactor(choice, name, value));
                }}
              />
              <output for={`slider-${name}`} class={!isFixed && factor !== 1 ? "factor changed" : "factor"}>
                {isFixed ? "" : `×${factor}`}
              </output>
            </li>
          );
        })}
      </ul>
      {error !== null && <Problem error={error} />}
    </section>
  );
}
