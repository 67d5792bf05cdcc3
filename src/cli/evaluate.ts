import { Command } from "commander";
import { evaluatePairsCommand } from "./evaluate-pairs.ts";
import { evaluateRewardBenchCommand } from "./evaluate-rewardbench.ts";

export function evaluateCommand(): Command {
  return new Command("evaluate")
    .description("measure models on a benchmark")
    .addCommand(evaluatePairsCommand())
    .addCommand(evaluateRewardBenchCommand());
}
