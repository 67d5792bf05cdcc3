import { Command } from "commander";
import { parsePositiveInteger } from "./flags.ts";
import { readEmbedCommand } from "./launched-embed.ts";
import { print } from "./output.ts";

interface KubernetesFlags {
  shards: number;
  image: string;
  claim: string;
  mount: string;
  name: string;
  cpus?: number;
  memory?: string;
  parallelism?: number;
  retries: number;
}

export function kubernetesCommand(): Command {
  return new Command("kubernetes")
    .description(
      "print the manifest of an Indexed Job that embeds in shards, and of the Job that merges them",
    )
    .argument("[command...]", "behind --: the embed command, with all its options but --shard")
    .requiredOption("--shards <n>", "completions of the Job", parsePositiveInteger)
    .requiredOption("--image <name>", "container image that has armorm")
    .requiredOption("--claim <name>", "persistent volume claim that all pods can write (ReadWriteMany)")
    .option("--mount <path>", "where the claim is mounted, and where the commands run", "/data")
    .option("--name <name>", "of the Jobs: NAME and NAME-merge", "armorm-embed")
    .option("--cpus <n>", "processors of each pod, and threads of its backbone", parsePositiveInteger)
    .option("--memory <size>", "memory of each pod, as Kubernetes writes it: 16Gi")
    .option("--parallelism <n>", "pods at a time (default: all)", parsePositiveInteger)
    .option("--retries <n>", "how often a shard that failed is started again", parsePositiveInteger, 3)
    .action(run)
    .addHelpText(
      "after",
      `
Jobs do not wait for each other: apply the second document once the first Job is complete.

Example:
  armorm launch kubernetes --shards 8 --image I --claim C -- embed --backbone B --data D --out embedded > jobs.yaml`,
    );
}

async function run(words: readonly string[], flags: KubernetesFlags): Promise<void> {
  const { stringify } = await import("yaml");
  const { options, out, threads } = readEmbedCommand(words);
  const { shards, name, cpus, parallelism = shards, retries } = flags;
  const own = cpus === undefined || threads !== undefined ? [] : ["--threads", String(cpus)];
  const embed = job(name, flags, ["embed", ...options, ...own, "--shard", `auto/${shards}`], {
    completionMode: "Indexed",
    completions: shards,
    parallelism,
    backoffLimitPerIndex: retries,
  });
  const { cpus: _cpus, memory: _memory, ...light } = flags;
  const merge = job(`${name}-merge`, light, ["merge", out], { backoffLimit: 0 });
  print(
    [embed, merge]
      .map((document) => stringify(document, { lineWidth: 0, aliasDuplicateObjects: false }))
      .join("---\n")
      .trimEnd(),
  );
}

function job(
  name: string,
  { image, claim, mount, cpus, memory }: KubernetesFlags,
  command: readonly string[],
  spec: Readonly<Record<string, unknown>>,
) {
  const resources = {
    ...(cpus === undefined ? {} : { cpu: cpus }),
    ...(memory === undefined ? {} : { memory }),
  };
  const container = {
    name: "armorm",
    image,
    command: ["armorm", ...command],
    workingDir: mount,
    ...(Object.keys(resources).length === 0 ? {} : { resources: { requests: resources, limits: resources } }),
    volumeMounts: [{ name: "data", mountPath: mount }],
  };
  return {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: { name },
    spec: {
      ...spec,
      template: {
        spec: {
          restartPolicy: "Never",
          containers: [container],
          volumes: [{ name: "data", persistentVolumeClaim: { claimName: claim } }],
        },
      },
    },
  };
}
