// Downloads from the hub, before a command does its own work: what they cost, how far they are, and Ctrl-C.

import { existsSync } from "node:fs";
import type { Command } from "commander";
import type { PullOptions, PullPlan } from "../checkpoint/hub/pull.ts";
import { InputError } from "../errors.ts";
import { Interrupted } from "./failure.ts";
import { count, note } from "./output.ts";
import { formatBytes, formatSeconds, startProgress } from "./progress.ts";

/**
 * Downloads what is missing of a location; anything but a repository on the hub is left alone.
 *
 * @returns The location's name: a repository with the commit that was downloaded, so that nothing later asks the hub again.
 */
export async function download(
  location: string,
  options: Pick<PullOptions, "weights"> = {},
): Promise<string> {
  const { locateCheckpoint } = await import("../checkpoint/location.ts");
  return (await watchPull((watch) => locateCheckpoint(location, { ...options, ...watch }))).name;
}

/**
 * Makes a command download before it runs: data sets on the hub among its arguments, `--data` and `--against`, which are
 * files otherwise and must be there before anything is downloaded; then what `work` says, whose options take the place of
 * those on the command line. Data sets get the commit that was downloaded, so that nothing later asks the hub again.
 */
export function withDownloads<Flags extends object>(
  command: Command,
  work: (flags: Flags) => Promise<Partial<Flags>> = async () => ({}),
): Command {
  return command.hook("preAction", async (_, action) => {
    const { data, against } = action.opts<{ data?: string[]; against?: string[] }>();
    const { args, processedArgs } = action;
    await requireFiles([...args.filter((path) => path !== "-"), ...(data ?? []), ...(against ?? [])]);
    for (const [i, arg] of args.entries()) {
      if (processedArgs[i] === arg && !existsSync(arg) && arg !== "-")
        [processedArgs[i]] = await downloadData([arg]);
    }
    if (data) action.setOptionValue("data", await downloadData(data));
    if (against) action.setOptionValue("against", await downloadData(against));
    for (const [name, value] of Object.entries(await work(action.opts<Flags>()))) {
      action.setOptionValue(name, value);
    }
  });
}

// Loaded by a function of its own, like the library: most commands need neither.
const loadLocations = () => Promise.all([import("../data/data-files.ts"), import("../data/location.ts")]);

/** A mistyped name is worth knowing before a download of hours. */
async function requireFiles(texts: readonly string[]): Promise<void> {
  const [{ isDataset }, { parseDataLocation }] = await loadLocations();
  const paths = texts.map((text) => parseDataLocation(text).path);
  const missing = paths.find((path) => !existsSync(path) && !isDataset(path));
  if (missing !== undefined)
    throw new InputError("missing-file", `${missing}: no such file`, "check the path");
}

/** The locations, as they are written on the command line; of data sets, with the commit that was downloaded. */
async function downloadData(texts: readonly string[]): Promise<string[]> {
  const [{ locateData }, { parseDataLocation }] = await loadLocations();
  const located: string[] = [];
  for (const text of texts) {
    const { path } = parseDataLocation(text);
    const { name } = await watchPull((watch) => locateData(path, watch));
    located.push(text.slice(0, text.length - path.length) + name);
  }
  return located;
}

/**
 * Runs a pull with its cost and its progress on stderr.
 *
 * @throws {Interrupted} On Ctrl-C, at once: what has been downloaded is kept, and the same command goes on with it.
 */
export async function watchPull<T>(work: (watch: Omit<PullOptions, "weights">) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const stop = () => {
    controller.abort(new Interrupted("stopped; the same command goes on with the download"));
  };
  process.once("SIGINT", stop);
  const progress = startProgress("downloading", "bytes");
  let started: number | null = null;
  let begun: number | null = null;
  let said = false;
  let done = 0;
  try {
    const result = await work({
      signal: controller.signal,
      onPlan: (plan) => {
        started = performance.now();
        note(describePlan(plan));
      },
      onProgress: ({ bytes, totalBytes }) => {
        const seconds = (performance.now() - (started ?? Number.NaN)) / 1000;
        begun ??= bytes;
        if (!said && seconds > MEASURED_S && bytes > begun) {
          said = true;
          const rate = (bytes - begun) / seconds;
          const left = formatSeconds((totalBytes - bytes) / rate);
          if (!process.stderr.isTTY) note(`about ${left} left at ${formatBytes(rate)}/s`);
        }
        done = bytes;
        progress.update(bytes, totalBytes);
      },
      onNote: note,
    });
    controller.signal.throwIfAborted();
    progress.stop();
    if (started !== null) {
      note(`${formatBytes(done)} there in ${formatSeconds((performance.now() - started) / 1000)}`);
    }
    return result;
  } finally {
    progress.stop();
    process.removeListener("SIGINT", stop);
  }
}

/** The time left is worth saying once the rate has been measured over this time. */
const MEASURED_S = 5;

/** `downloading 9 files, 16.06 GB, of org/name@main (0123456789ab) to /home/me/.cache/…; 2 files are there` */
function describePlan({ id, revision, commit, directory, files, bytes }: PullPlan): string {
  const missing = files.filter(({ from }) => from === "hub");
  const there = files.length - missing.length;
  const rest = there === 0 ? "" : `; ${count(there, "file")} there already`;
  const name = `${id}@${revision}`;
  const at = revision === commit ? "" : ` (commit ${commit.slice(0, 12)})`;
  return `downloading ${count(missing.length, "file")}, ${formatBytes(bytes)}, of ${name}${at} to ${directory}${rest}`;
}
