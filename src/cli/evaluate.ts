import { Command } from "commander";
import { evaluateBestOfNCommand } from "./evaluate-best-of-n.ts";
import { evaluatePairsCommand } from "./evaluate-pairs.ts";
import { evaluateRewardBenchCommand } from "./evaluate-rewardbench.ts";
import { evaluateRewardBench2Command } from "./evaluate-rewardbench2.ts";

export function evaluateCommand(): Command {
  return new Command("evaluate")
    .description("measure models on a benchmark")
    .addCommand(evaluatePairsCommand())
    .addCommand(evaluateRewardBenchCommand())
    .addCommand(evaluateRewardBench2Command())
    .addCommand(evaluateBestOfNCommand());
}
