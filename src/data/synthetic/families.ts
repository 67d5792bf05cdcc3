import { arithmetic } from "./arithmetic.ts";
import { code } from "./code.ts";
import { facts } from "./facts.ts";
import type { Family } from "./family.ts";
import { instructions } from "./instructions.ts";
import { refusals } from "./refusals.ts";
import { smallTalk } from "./small-talk.ts";

/** The kinds of prompts of the demo, in the order of its tables. */
export const FAMILIES: readonly Family[] = [arithmetic, facts, code, instructions, refusals, smallTalk];
