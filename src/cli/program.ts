import { Command } from "commander";
import { VERSION } from "../version.ts";
import { cacheCommand } from "./cache.ts";
import { compareCommand } from "./compare.ts";
import { completionCommand } from "./completion.ts";
import { dataCommand } from "./data.ts";
import { demoCommand } from "./demo.ts";
import { doctorCommand } from "./doctor.ts";
import { embedCommand } from "./embed.ts";
import { evaluateCommand } from "./evaluate.ts";
import { exportCommand } from "./export.ts";
import { importCommand } from "./import.ts";
import { inspectCommand } from "./inspect.ts";
import { launchCommand } from "./launch.ts";
import { mergeCommand } from "./merge.ts";
import { pullCommand } from "./pull.ts";
import { rankCommand } from "./rank.ts";
import { reportCommand } from "./report.ts";
import { scoreCommand } from "./score.ts";
import { serveCommand } from "./serve.ts";
import { statisticsCommand } from "./statistics.ts";
import { trainCommand } from "./train.ts";
import { verifyCommand } from "./verify.ts";

/** The command line. Commands load the library when they run, so `--help` is quick. */
export function createProgram(): Command {
  const program = new Command("armorm")
    .description("Interpretable reward models: train, score, explain and evaluate")
    .version(VERSION)
    .showHelpAfterError("(armorm <command> --help shows the options)")
    .showSuggestionAfterError();
  const commands = [
    demoCommand(),
    pullCommand(),
    embedCommand(),
    mergeCommand(),
    launchCommand(),
    statisticsCommand(),
    trainCommand(),
    scoreCommand(),
    compareCommand(),
    rankCommand(),
    evaluateCommand(),
    verifyCommand(),
    serveCommand(),
    reportCommand(),
    exportCommand(),
    importCommand(),
    inspectCommand(),
    dataCommand(),
    cacheCommand(),
    doctorCommand(),
    completionCommand(),
  ];
  for (const command of commands) program.addCommand(command);
  for (const command of everyCommand(program)) {
    // Errors become exceptions, so that main.ts alone decides on exit codes.
    command.exitOverride();
    if (command.commands.length === 0) command.option("--debug", "print a stack trace when something fails");
  }
  return program;
}

/** A command and all below it. */
export function everyCommand(command: Command): Command[] {
  return [command, ...command.commands.flatMap(everyCommand)];
}
