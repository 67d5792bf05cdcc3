import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";
import { describeProgram } from "../../src/cli/completion.ts";
import { bashCompletion, fishCompletion, zshCompletion } from "../../src/cli/completion-scripts.ts";
import { createProgram } from "../../src/cli/program.ts";

const commands = describeProgram(createProgram());
const has = (shell: string) => spawnSync(shell, ["-c", "true"]).status === 0;
const withShell = (shell: string) =>
  has(shell)
    ? { run: test, name: (what: string) => what }
    : { run: test.skip, name: (what: string) => `${what} (skipped: no ${shell})` };

/** What bash offers after `armorm WORDS…`, the last word being the one typed. */
function bashOffers(...words: string[]): string[] {
  const quoted = words.map((word) => `'${word}'`).join(" ");
  const script = `${bashCompletion(commands)}
    COMP_WORDS=(armorm ${quoted}); COMP_CWORD=${words.length}; _armorm
    printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr, status } = spawnSync("bash", ["--norc", "-c", script], { encoding: "utf8" });
  expect(stderr).toBe("");
  expect(status).toBe(0);
  return stdout.split("\n").filter((line) => line !== "");
}

test("every command, option and choice of the program is known", () => {
  const split = commands.find(({ path }) => path.join(" ") === "data split")!;
  expect(split.options.find(({ flags }) => flags.includes("--fractions"))).toMatchObject({ value: "other" });
  expect(split.options.find(({ flags }) => flags.includes("--out"))).toMatchObject({ value: "file" });
  const binarize = commands.find(({ path }) => path.join(" ") === "data binarize")!;
  expect(binarize.options.find(({ flags }) => flags.includes("--pairs"))).toMatchObject({
    value: "choice",
    choices: ["all", "best-worst"],
  });
  expect(commands[0]!.subcommands.map(({ name }) => name)).toContain("completion");
  expect(commands.find(({ path }) => path[0] === "completion")!.choices).toEqual(["bash", "zsh", "fish"]);
});

const bash = withShell("bash");
bash.run(bash.name("bash registers the function and offers what can come next"), () => {
  const script = `${bashCompletion(commands)} complete -p armorm`;
  expect(spawnSync("bash", ["--norc", "-c", script], { encoding: "utf8" }).stdout).toBe(
    "complete -o default -F _armorm armorm\n",
  );
  expect(bashOffers("")).toEqual(expect.arrayContaining(["demo", "embed", "data", "doctor"]));
  expect(bashOffers("do")).toEqual(["doctor"]);
  expect(bashOffers("data", "")).toEqual(["describe", "binarize", "group", "split", "overlap", "help"]);
  expect(bashOffers("data", "split", "--fr")).toEqual(["--fractions"]);
  expect(bashOffers("data", "binarize", "--pairs", "")).toEqual(["all", "best-worst"]);
  expect(bashOffers("data", "binarize", "--pairs", "=", "be")).toEqual(["best-worst"]);
  expect(bashOffers("completion", "")).toEqual(["bash", "zsh", "fish"]);
  // A file may be called like a command; after a number nothing is offered.
  expect(bashOffers("embed", "--data", "data", "--ki")).toEqual(["--kind"]);
  expect(bashOffers("data", "split", "--seed", "")).toEqual([]);
});

const zsh = withShell("zsh");
zsh.run(zsh.name("zsh offers what can come next"), () => {
  const script = `compdef() {}; compadd() { print -rl -- "\${@[2,-1]}" }; _files() { print FILES }
    _describe() { print -rl -- "\${(@P)@[-1]%%:*}" }
    ${zshCompletion(commands)}
    for line in "data " "data split --fr" "data binarize --pairs " "inspect "; do
      words=(armorm "\${(@s: :)line}"); CURRENT=$#words; _armorm
    done`;
  const { stdout } = spawnSync("zsh", ["-f", "-c", script], { encoding: "utf8" });
  expect(stdout.split("\n")).toEqual(expect.arrayContaining(["binarize", "--fractions", "all", "FILES"]));
});

const fish = withShell("fish");
fish.run(fish.name("fish offers what can come next"), () => {
  const offers = (line: string) =>
    spawnSync("fish", ["--no-config", "-c", `${fishCompletion(commands)}\ncomplete -C '${line}'`], {
      encoding: "utf8",
    }).stdout.replace(/\t.*/g, "");
  expect(offers("armorm data bin")).toBe("binarize\n");
  expect(offers("armorm data split --fr")).toBe("--fractions\n");
  expect(offers("armorm data binarize --pairs ")).toBe("all\nbest-worst\n");
});
