import { Command } from "commander";
import { kubernetesCommand } from "./launch-kubernetes.ts";
import { slurmCommand } from "./launch-slurm.ts";

export function launchCommand(): Command {
  return new Command("launch")
    .description("embed on many machines: shards as jobs of a cluster, and the merge after them")
    .addCommand(slurmCommand())
    .addCommand(kubernetesCommand());
}
