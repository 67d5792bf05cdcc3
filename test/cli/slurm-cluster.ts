// Slurm and munge on the loopback interface, with everything of theirs in one folder: a cluster of one node.

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { availableParallelism, hostname } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

const PROGRAMS = ["munged", "slurmctld", "slurmd", "sbatch", "squeue", "sinfo"];

/** Why no cluster can be started here; null where one can. */
export function whyNoSlurm(): string | null {
  if (process.getuid?.() !== 0) return "slurmd starts jobs as root only";
  const missing = PROGRAMS.filter((name) => spawnSync("sh", ["-c", `command -v ${name}`]).status !== 0);
  return missing.length === 0 ? null : `no ${missing.join(", ")}: apt-get install slurm-wlm munge`;
}

export interface Cluster extends AsyncDisposable {
  /** What Slurm's commands need. */
  readonly environment: Readonly<Record<string, string>>;
}

/** Starts a cluster in an empty folder whose path is short enough for a socket. */
export async function startCluster(folder: string): Promise<Cluster> {
  const at = (name: string) => join(folder, name);
  mkdirSync(at("state"), { mode: 0o755 });
  mkdirSync(at("spool"), { mode: 0o755 });
  writeFileSync(at("munge.key"), randomBytes(128), { mode: 0o400 });
  const [controllerPort, nodePort] = [await freePort(), await freePort()];
  const host = hostname();
  writeFileSync(at("slurm.conf"), configuration(folder, host, controllerPort, nodePort));
  const environment = { SLURM_CONF: at("slurm.conf") };
  const children: ChildProcess[] = [];
  const start = (name: string, words: readonly string[]) => {
    const log = openSync(at(`${name}.out`), "a");
    const child = spawn(name, words, {
      stdio: ["ignore", log, log],
      env: { ...process.env, ...environment },
    });
    closeSync(log);
    children.push(child);
  };
  const ask = (name: string, ...words: string[]) => {
    const env = { ...process.env, ...environment };
    return spawnSync(name, ["--noheader", ...words], { encoding: "utf8", env }).stdout.trim();
  };
  const stop = async () => {
    for (const child of children.reverse()) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const ended = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGTERM");
      const kill = setTimeout(() => child.kill("SIGKILL"), 10_000);
      await ended;
      clearTimeout(kill);
    }
  };
  try {
    const files = ["key-file=munge.key", "socket=munge.sock", "pid-file=munge.pid", "log-file=munge.log"];
    const named = [...files, "seed-file=munge.seed"].map(
      (option) => `--${option.replace("=", `=${folder}/`)}`,
    );
    start("munged", ["--foreground", "--force", ...named]);
    await until(() => spawnSync("munge", ["-n", `--socket=${at("munge.sock")}`]).status === 0, folder);
    start("slurmctld", ["-D", "-i", "-f", at("slurm.conf")]);
    start("slurmd", ["-D", "-f", at("slurm.conf"), "-N", "node1"]);
    await until(() => ask("sinfo", "--format=%t") === "idle", folder);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    environment,
    async [Symbol.asyncDispose]() {
      // The daemon of a job outlives slurmd if it is stopped in between.
      await until(() => ask("squeue", "--states=running,completing") === "", folder).finally(stop);
    },
  };
}

const configuration = (folder: string, host: string, controllerPort: number, nodePort: number): string =>
  `
ClusterName=test
SlurmctldHost=${host}(127.0.0.1)
SlurmctldPort=${controllerPort}
SlurmdPort=${nodePort}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=${folder}/munge.sock
CredType=cred/munge
StateSaveLocation=${folder}/state
SlurmdSpoolDir=${folder}/spool
SlurmctldPidFile=${folder}/slurmctld.pid
SlurmdPidFile=${folder}/slurmd.pid
SlurmctldLogFile=${folder}/slurmctld.log
SlurmdLogFile=${folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SlurmdParameters=config_overrides
ReturnToService=2
SchedulerParameters=batch_sched_delay=0,sched_interval=1,sched_min_interval=100000,bf_interval=1
MailProg=/bin/true
NodeName=node1 NodeHostname=${host} NodeAddr=127.0.0.1 Port=${nodePort} CPUs=${Math.max(2, availableParallelism())} State=UNKNOWN
PartitionName=test Nodes=node1 Default=YES MaxTime=INFINITE State=UP
`.trimStart();

async function until(reached: () => boolean, folder: string): Promise<void> {
  for (let tries = 0; tries < 150; tries++) {
    if (reached()) return;
    await delay(200);
  }
  const logs = ["munged.out", "slurmctld.log", "slurmctld.out", "slurmd.log", "slurmd.out"].map((name) => {
    try {
      return `${name}:\n${readFileSync(join(folder, name), "utf8").slice(-1500)}`;
    } catch {
      return `${name}: none`;
    }
  });
  throw new Error(`the cluster did not start, or not stop\n${logs.join("\n")}`);
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
