import { Command } from "commander";
import type { PulledRepository } from "../checkpoint/hub/pull.ts";
import { watchPull } from "./downloads.ts";
import { count, print, printJson, table } from "./output.ts";
import { formatBytes } from "./progress.ts";

interface PullFlags {
  dataset?: boolean;
  json?: boolean;
}

export function pullCommand(): Command {
  return new Command("pull")
    .description(
      "download what armorm needs of a model or a data set on the Hugging Face hub into the cache that Python shares",
    )
    .argument("<repository>", "org/name, or org/name@revision: a branch, a tag or a commit")
    .option("--dataset", "it is a data set: org/name[@revision][:[config/]split]")
    .option("--json", "print what is there as JSON")
    .action(run)
    .addHelpText(
      "after",
      `
Stopped? The same command goes on where it stopped. HF_HOME, HF_HUB_CACHE, HF_TOKEN, HF_ENDPOINT, HF_HUB_OFFLINE, HTTPS_PROXY
and NO_PROXY work as in Python.

Examples:
  armorm pull RLHFlow/ArmoRM-Llama3-8B-v0.1
  armorm pull --dataset allenai/reward-bench:filtered
  armorm pull org/name@v1.0 --json | jq -r .directory`,
    );
}

async function run(repository: string, flags: PullFlags): Promise<void> {
  const [{ pull }, { pullDataset }] = await Promise.all([
    import("../checkpoint/hub/pull.ts"),
    import("../checkpoint/hub/pull-dataset.ts"),
  ]);
  const pulled = await watchPull((watch) => (flags.dataset ? pullDataset : pull)(repository, watch));
  if (flags.json) printJson(pulled);
  else printPulled(pulled);
}

function printPulled({ id, commit, directory, files }: PulledRepository): void {
  const columns = [{ title: "file" }, { title: "size", align: "right" }, { title: "from" }] as const;
  print(
    table(
      columns,
      files.map(({ name, bytes, from }) => [name, formatBytes(bytes), from]),
    ),
  );
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  print(`${id}@${commit}: ${count(files.length, "file")}, ${formatBytes(bytes)}, in ${directory}`);
}
