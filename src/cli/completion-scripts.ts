// What the three scripts share: they follow the words typed so far to a command, then offer what can come next. File
// names are what the shell offers by itself wherever nothing else is known.

import type { CompletedCommand, CompletedOption } from "./completion.ts";

/** For bash 3.2 and later. */
export function bashCompletion(commands: readonly CompletedCommand[]): string {
  const offer = (words: readonly string[]) => `COMPREPLY=($(compgen -W "${words.join(" ")}" -- "$word"))`;
  const withChoices = eachOption(commands, "choice").map(
    ([key, { choices }]) => `    ${key}) ${offer(choices)}; return ;;`,
  );
  const free = eachOption(commands, "other").map(([key]) => key);
  const options = commands.map(
    (command) => `      "${keyOf(command)}") ${offer(command.options.flatMap(({ flags }) => flags))} ;;`,
  );
  const words = commands
    .filter((command) => nextWords(command).length > 0)
    .map(
      (command) => `    "${keyOf(command)}") ${offer(nextWords(command).map(({ name }) => name))}; return ;;`,
    );
  return `# Completes armorm in bash: eval "$(armorm completion bash)"
_armorm() {
  local word="\${COMP_WORDS[COMP_CWORD]}" before="\${COMP_WORDS[COMP_CWORD-1]}" at="" i
  # bash cuts --option=value into three words.
  if [[ $word == "=" ]]; then word=""; elif [[ $before == "=" ]]; then before="\${COMP_WORDS[COMP_CWORD-2]}"; fi
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "$at \${COMP_WORDS[i]}" in
      ${commandKeys(commands).join("|")}) at="$at \${COMP_WORDS[i]}" ;;
      *) break ;;
    esac
  done
  case "$at $before" in
${withChoices.join("\n")}
    ${free.join("|")}) compopt +o default 2>/dev/null; return ;;
  esac
  if [[ $word == -* ]]; then
    case "$at" in
${options.join("\n")}
    esac
    return
  fi
  case "$at" in
${words.join("\n")}
  esac
}
complete -o default -F _armorm armorm
`;
}

export function zshCompletion(commands: readonly CompletedCommand[]): string {
  const described = (name: string, description: string) =>
    singleQuoted(description ? `${name}:${description}` : name);
  const withChoices = eachOption(commands, "choice").map(
    ([key, { choices }]) => `    (${key}) compadd -- ${choices.join(" ")}; return ;;`,
  );
  const free = eachOption(commands, "other").map(([key]) => key);
  const options = commands.map((command) => {
    const list = command.options.flatMap(({ flags, description }) =>
      flags.map((flag) => described(flag, description)),
    );
    return `      ("${keyOf(command)}") offered=(${list.join(" ")}) ;;`;
  });
  const words = commands
    .filter((command) => nextWords(command).length > 0)
    .map((command) => {
      const list = nextWords(command).map(({ name, description }) => described(name, description));
      return `    ("${keyOf(command)}") offered=(${list.join(" ")}); _describe command offered; return ;;`;
    });
  return `#compdef armorm
# Completes armorm in zsh: eval "$(armorm completion zsh)", after compinit
_armorm() {
  local at="" i
  local -a offered
  for ((i = 2; i < CURRENT; i++)); do
    case "$at \${words[i]}" in
      (${commandKeys(commands).join("|")}) at="$at \${words[i]}" ;;
      (*) break ;;
    esac
  done
  case "$at \${words[CURRENT-1]}" in
${withChoices.join("\n")}
    (${free.join("|")}) return 1 ;;
  esac
  if [[ \${words[CURRENT]} == -* ]]; then
    case "$at" in
${options.join("\n")}
    esac
    _describe -o option offered
    return
  fi
  case "$at" in
${words.join("\n")}
  esac
  _files
}
if [[ \${funcstack[1]} == _armorm ]]; then _armorm "$@"; else compdef _armorm armorm; fi
`;
}

export function fishCompletion(commands: readonly CompletedCommand[]): string {
  const lines = commands.flatMap((command) => {
    const when = `complete -c armorm -n '__armorm_at "${keyOf(command)}"'`;
    const words = nextWords(command).map(
      ({ name, description }) => `${when} -f -a ${name} -d ${fishQuoted(description)}`,
    );
    const options = command.options.map(({ flags, description, value, choices }) => {
      const names = flags.map((flag) =>
        flag.startsWith("--") ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`,
      );
      const takes = {
        nothing: "",
        choice: ` -x -a '${choices.join(" ")}'`,
        file: " -r -F",
        other: " -x",
      }[value];
      return `${when} ${names.join(" ")}${takes} -d ${fishQuoted(description)}`;
    });
    return [...words, ...options];
  });
  return `# Completes armorm in fish: armorm completion fish > ~/.config/fish/completions/armorm.fish
function __armorm_at
  set -l at ""
  for word in (commandline -opc)[2..-1]
    switch "$at $word"
      case ${commandKeys(commands).join(" ")}
        set at "$at $word"
      case '*'
        break
    end
  end
  test "$at" = "$argv[1]"
end
${lines.join("\n")}
`;
}

/** A command as the scripts know it: its names, each with a blank before it. */
const keyOf = ({ path }: CompletedCommand): string => path.map((name) => ` ${name}`).join("");

/** Every command but the program itself, as quoted keys. */
const commandKeys = (commands: readonly CompletedCommand[]): string[] =>
  commands.filter(({ path }) => path.length > 0).map((command) => `"${keyOf(command)}"`);

/** Options whose value is of one kind, each way to write them, as quoted keys. */
function eachOption(
  commands: readonly CompletedCommand[],
  value: CompletedOption["value"],
): [key: string, option: CompletedOption][] {
  return commands.flatMap((command) =>
    command.options
      .filter((option) => option.value === value)
      .map((option): [string, CompletedOption] => [
        option.flags.map((flag) => `"${keyOf(command)} ${flag}"`).join("|"),
        option,
      ]),
  );
}

/** Words that are not options: subcommands, or what an argument is chosen from. */
function nextWords({ subcommands, choices }: CompletedCommand): { name: string; description: string }[] {
  return [...subcommands, ...choices.map((name) => ({ name, description: "" }))];
}

const singleQuoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

const fishQuoted = (text: string): string => `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
