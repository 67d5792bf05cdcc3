import { Argument, Command } from "commander";
import { bashCompletion, fishCompletion, zshCompletion } from "./completion-scripts.ts";

export interface CompletedOption {
  /** `-h`, `--help`: each way to write it. */
  readonly flags: readonly string[];
  readonly description: string;
  /** What follows it. */
  readonly value: "nothing" | "choice" | "file" | "other";
  readonly choices: readonly string[];
}

/** What can follow a command on the command line. */
export interface CompletedCommand {
  /** Names from the program's first subcommand on; empty for the program itself. */
  readonly path: readonly string[];
  readonly subcommands: readonly { readonly name: string; readonly description: string }[];
  readonly options: readonly CompletedOption[];
  /** Words that its arguments are chosen from; empty where an argument is a file or free. */
  readonly choices: readonly string[];
}

const SCRIPTS = { bash: bashCompletion, zsh: zshCompletion, fish: fishCompletion } as const;

export function completionCommand(): Command {
  return new Command("completion")
    .description("print a script that completes commands, options and choices in a shell")
    .addArgument(new Argument("<shell>", "the shell").choices(Object.keys(SCRIPTS)))
    .action(function (this: Command, shell: keyof typeof SCRIPTS) {
      process.stdout.write(SCRIPTS[shell](describeProgram(this.parent ?? this)));
    })
    .addHelpText(
      "after",
      `
Examples:
  eval "$(armorm completion bash)"    # put it into ~/.bashrc; with zsh into ~/.zshrc, after compinit
  armorm completion fish > ~/.config/fish/completions/armorm.fish`,
    );
}

/** A command and all below it, with what can follow each. */
export function describeProgram(command: Command): CompletedCommand[] {
  return [describeCommand(command), ...command.commands.flatMap(describeProgram)];
}

function describeCommand(command: Command): CompletedCommand {
  const help = command.createHelp();
  return {
    path: pathOf(command),
    subcommands: help
      .visibleCommands(command)
      .map((sub) => ({ name: sub.name(), description: sub.description() })),
    options: help.visibleOptions(command).map(({ short, long, flags, description, argChoices = [] }) => ({
      flags: [short, long].filter((flag) => flag !== undefined),
      description,
      value: valueAfter(flags, argChoices),
      choices: argChoices,
    })),
    choices: command.registeredArguments.flatMap(({ argChoices = [] }) => argChoices),
  };
}

function pathOf(command: Command): string[] {
  return command.parent ? [...pathOf(command.parent), command.name()] : [];
}

/** Placeholders that stand for something on disk. */
const FILES = /<(?:file|dir|folder|location|model|path)(?:\.\.\.)?>/;

function valueAfter(flags: string, choices: readonly string[]): CompletedOption["value"] {
  if (choices.length > 0) return "choice";
  if (FILES.test(flags)) return "file";
  return /[<[]/.test(flags) ? "other" : "nothing";
}
