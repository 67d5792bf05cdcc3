/** What the demo's responses are rated on, in the order of its tables. */
export const DEMO_OBJECTIVES = [
  "correctness",
  "relevance",
  "harmlessness",
  "politeness",
  "structure",
  "verbosity",
] as const;

export type DemoObjective = (typeof DEMO_OBJECTIVES)[number];

/** One value in [0, 1] per objective. */
export type DemoTruth = Readonly<Record<DemoObjective, number>>;

/** What a response is asked to be; its verbosity follows from the text that comes out. */
export type Traits = Readonly<Record<Exclude<DemoObjective, "verbosity">, number>>;
