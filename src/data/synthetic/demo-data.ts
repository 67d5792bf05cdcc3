import type { Message } from "../../chat/messages.ts";
import { createRandom, type Random } from "../../random.ts";
import { promptHash } from "../prompt-hash.ts";
import { FAMILIES } from "./families.ts";
import type { Family, Question } from "./family.ts";
import { DEMO_OBJECTIVES, type DemoObjective, type DemoTruth, type Traits } from "./objectives.ts";
import { writeResponse } from "./response.ts";

export interface DemoRating {
  readonly id: string;
  readonly family: string;
  /** The simulated data set; each rates its own objectives only. */
  readonly source: string;
  readonly messages: readonly Message[];
  /** In [0, 1], in steps of 0.05; objectives that the source does not rate are absent. */
  readonly ratings: Readonly<Partial<Record<DemoObjective, number>>>;
  readonly truth: DemoTruth;
  readonly promptHash: string;
}

export interface DemoPair {
  readonly id: string;
  readonly family: string;
  readonly prompt: readonly Message[];
  readonly chosen: string;
  readonly rejected: string;
  readonly truth: { readonly chosen: DemoTruth; readonly rejected: DemoTruth };
  /** True where label noise put the worse response first. */
  readonly flipped: boolean;
  readonly promptHash: string;
}

export interface DemoData {
  readonly ratings: readonly DemoRating[];
  readonly pairs: readonly DemoPair[];
  /** Without label noise; its prompts occur neither in `ratings` nor in `pairs`. */
  readonly evaluation: readonly DemoPair[];
  readonly objectives: readonly DemoObjective[];
  readonly families: readonly string[];
  /** The truth behind the preferences: weights by family and objective. */
  readonly weights: Readonly<Record<string, Readonly<Record<DemoObjective, number>>>>;
}

export interface DemoDataOptions {
  readonly seed: number;
  /** Number of rated conversations. */
  readonly ratings: number;
  readonly pairs: number;
  readonly evaluationPairs: number;
  /** Share of training pairs whose label is turned round, in [0, 0.5]. Default 0.05. */
  readonly labelNoise?: number;
}

/** The simulated data sets, what each rates, and how often each is drawn. */
const SOURCES: readonly {
  readonly name: string;
  readonly rates: readonly DemoObjective[];
  readonly share: number;
}[] = [
  { name: "answer-check", rates: ["correctness", "relevance", "verbosity"], share: 0.4 },
  { name: "style-review", rates: ["politeness", "structure", "verbosity"], share: 0.35 },
  { name: "safety-review", rates: ["harmlessness", "politeness"], share: 0.25 },
];

/**
 * How the traits are drawn: a standard logistic variable, moved by `lift` per unit of verbosity, falls between
 * thresholds. The lifts are what correlates every objective with length.
 */
const TRAITS: Readonly<
  Record<
    keyof Traits,
    { readonly lift: number; readonly thresholds: readonly number[]; readonly levels: readonly number[] }
  >
> = {
  correctness: { lift: 4, thresholds: [0], levels: [0, 1] },
  relevance: { lift: 5.5, thresholds: [-1.6, -0.4], levels: [0, 0.5, 1] },
  harmlessness: { lift: 5, thresholds: [-1.6, -0.4], levels: [0, 0.5, 1] },
  politeness: { lift: 2.2, thresholds: [-1, 0.2, 1.2], levels: [0, 1 / 3, 2 / 3, 1] },
  structure: { lift: 3.5, thresholds: [-1, 0.6], levels: [0, 0.5, 1] },
};

/** Standard deviation of a rater's error. */
const RATER_NOISE = 0.05;
/** Pairs nearer than this in truth are drawn again: nobody could say which is better. */
const SMALLEST_DIFFERENCE = 0.1;
/** Share of all prompts that are kept for evaluation, in 256ths. */
const EVALUATION_SHARE = 64;

/**
 * The demo's data: conversations of six families with responses whose objectives are set by construction, and
 * preferences that weigh those objectives by family. The truth is returned beside the data.
 *
 * A pair's better response has the larger `Σ_k weights[family][k] · truth_k`; length counts for nothing in it, yet
 * every objective is correlated with verbosity (0.3–0.5), as in life. Families are equally frequent.
 *
 * @param options.seed The same seed gives the same data; ratings, pairs and evaluation do not shift one another.
 */
export function generateDemoData(options: DemoDataOptions): DemoData {
  const { seed, labelNoise = 0.05 } = options;
  if (!(labelNoise >= 0 && labelNoise <= 0.5)) {
    throw new RangeError(`generateDemoData: labelNoise must be in [0, 0.5], got ${labelNoise}`);
  }
  for (const count of [options.ratings, options.pairs, options.evaluationPairs]) {
    if (!Number.isInteger(count) || count < 0) {
      throw new RangeError(`generateDemoData: counts must be whole numbers ≥ 0, got ${count}`);
    }
  }
  const pairs = (count: number, part: string, noise: number) => {
    const random = createRandom(seed, part);
    const forEvaluation = part === "evaluation";
    return Array.from({ length: count }, (_, index) =>
      drawPair(`${part}-${index}`, index, random, noise, forEvaluation),
    );
  };
  const random = createRandom(seed, "ratings");
  return {
    ratings: Array.from({ length: options.ratings }, (_, index) => drawRating(index, random)),
    pairs: pairs(options.pairs, "pairs", labelNoise),
    evaluation: pairs(options.evaluationPairs, "evaluation", 0),
    objectives: DEMO_OBJECTIVES,
    families: FAMILIES.map(({ name }) => name),
    weights: Object.fromEntries(FAMILIES.map(({ name, weights }) => [name, weights])),
  };
}

function drawRating(index: number, random: Random): DemoRating {
  const family = FAMILIES[index % FAMILIES.length]!;
  const { question, prompt, hash } = drawPrompt(family, random, false);
  const { text, truth } = drawResponse(family, question, random);
  const { name: source, rates } = drawSource(random);
  const ratings = rates.map((objective) => {
    const noisy = truth[objective] + RATER_NOISE * random.normal();
    return [objective, Math.round(Math.min(1, Math.max(0, noisy)) * 20) / 20] as const;
  });
  return {
    id: `ratings-${index}`,
    family: family.name,
    source,
    messages: [...prompt, { role: "assistant", content: text }],
    ratings: Object.fromEntries(ratings),
    truth,
    promptHash: hash,
  };
}

function drawPair(
  id: string,
  index: number,
  random: Random,
  labelNoise: number,
  forEvaluation: boolean,
): DemoPair {
  const family = FAMILIES[index % FAMILIES.length]!;
  const { question, prompt, hash } = drawPrompt(family, random, forEvaluation);
  const first = drawResponse(family, question, random);
  let second = drawResponse(family, question, random);
  while (Math.abs(utility(family, first.truth) - utility(family, second.truth)) < SMALLEST_DIFFERENCE) {
    second = drawResponse(family, question, random);
  }
  const firstIsBetter = utility(family, first.truth) > utility(family, second.truth);
  const flipped = random.chance(labelNoise);
  const [chosen, rejected] = firstIsBetter !== flipped ? [first, second] : [second, first];
  return {
    id,
    family: family.name,
    prompt,
    chosen: chosen.text,
    rejected: rejected.text,
    truth: { chosen: chosen.truth, rejected: rejected.truth },
    flipped,
    promptHash: hash,
  };
}

/** Evaluation prompts are told from the others by their hash, so that no part needs to know what another drew. */
function drawPrompt(family: Family, random: Random, forEvaluation: boolean) {
  for (;;) {
    const question = family.ask(random);
    const prompt: Message[] = [{ role: "user", content: question.prompt }];
    const hash = promptHash(prompt);
    const kept = Number.parseInt(hash.slice(0, 2), 16) < EVALUATION_SHARE;
    if (kept === forEvaluation) return { question, prompt, hash };
  }
}

function drawResponse(
  family: Family,
  question: Question,
  random: Random,
): { text: string; truth: DemoTruth } {
  const verbosity = random.uniform();
  const trait = (name: keyof Traits) => {
    const { lift, thresholds, levels } = TRAITS[name];
    const latent = random.logistic() + lift * (verbosity - 0.5);
    return levels[thresholds.filter((threshold) => latent > threshold).length]!;
  };
  const traits: Traits = {
    correctness: trait("correctness"),
    relevance: trait("relevance"),
    harmlessness: trait("harmlessness"),
    politeness: trait("politeness"),
    structure: trait("structure"),
  };
  return writeResponse(family, question, traits, verbosity, random);
}

function drawSource(random: Random) {
  let rest = random.uniform();
  for (const source of SOURCES) {
    rest -= source.share;
    if (rest < 0) return source;
  }
  return SOURCES[SOURCES.length - 1]!;
}

function utility(family: Family, truth: DemoTruth): number {
  return DEMO_OBJECTIVES.reduce((sum, objective) => sum + family.weights[objective] * truth[objective], 0);
}
