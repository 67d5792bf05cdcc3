import { readFile } from "node:fs/promises";
import { Command } from "commander";
import { InputError } from "../errors.ts";
import { chatOptions } from "./backbone-options.ts";
import { parseBytes, parseNumberFromZero, parsePort, parsePositiveInteger, pick } from "./flags.ts";
import { watchQuantizing } from "./quantizing.ts";
import { type ModelFlags, withModelOptions } from "./score.ts";

interface ServeFlags extends ModelFlags {
  host?: string;
  port?: number;
  apiKey?: string;
  apiKeyFile?: string;
  allowAnonymous?: boolean;
  workers?: number;
  maxBatchTokens?: number;
  maxWaitMs?: number;
  maxQueue?: number;
  maxBody?: number;
  maxItems?: number;
  maxMessages?: number;
  drainSeconds: number;
  logMessages?: boolean;
  text?: string;
}

export function serveCommand(): Command {
  const signals = stopSignals();
  const command = new Command("serve")
    .hook("preAction", signals.duringLoading)
    .description("score over HTTP: for applications, RLHF trainers, and a page for people")
    .option(
      "--host <address>",
      "where to listen; others than this machine's own need a key (default: 127.0.0.1)",
    )
    .option("--port <n>", "0 takes a free one (default: 8000)", parsePort)
    .option(
      "--api-key <key>",
      "key that clients send; better in a file or in ARMORM_API_KEY: others see options",
    )
    .option("--api-key-file <file>", "keys, one per line; any of them will do")
    .option("--allow-anonymous", "without a key, let everybody call who reaches the address")
    .option(
      "--workers <n>",
      "processes, each with the model in its memory (default: 1)",
      parsePositiveInteger,
    )
    .option("--max-batch-tokens <n>", "tokens computed together, about (default: 8192)", parsePositiveInteger)
    .option(
      "--max-wait-ms <n>",
      "how long an idle process waits for more to compute (default: 0)",
      parseNumberFromZero,
    )
    .option(
      "--max-queue <n>",
      "conversations that may wait; more get 429 (default: 1024)",
      parsePositiveInteger,
    )
    .option("--max-body <bytes>", "size of a request, as in 8MiB (default: 8MiB)", parseBytes)
    .option("--max-items <n>", "conversations or responses in a request (default: 256)", parsePositiveInteger)
    .option("--max-messages <n>", "messages in a conversation (default: 1024)", parsePositiveInteger)
    .option(
      "--drain-seconds <n>",
      "how long to finish what has arrived, once told to stop",
      parseNumberFromZero,
      30,
    )
    .option(
      "--text <mode>",
      "how trainers' decoded text is read: raw, or retemplate=NAME for a policy with another template (default: raw)",
    )
    .option("--log-messages", "write what clients send to the log, messages included");
  return withModelOptions(command)
    .action((flags: ServeFlags) => run(flags, signals))
    .addHelpText(
      "after",
      `
Examples:
  armorm serve --model model
  curl -s localhost:8000/v1/score -H 'content-type: application/json' -d '{"messages":[{"role":"user","content":"Name a prime."},{"role":"assistant","content":"Seven."}]}'
  ARMORM_API_KEY=$(openssl rand -hex 32) armorm serve --model model --host 0.0.0.0`,
    );
}

async function run(flags: ServeFlags, signals: StopSignals): Promise<void> {
  const [{ serve }, { createLog }] = await Promise.all([
    import("../server/serve.ts"),
    import("../server/log.ts"),
  ]);
  const log = createLog();
  const options = {
    ...pick(flags, ["device", "dtype", "threads", "backbone", "host", "port", "allowAnonymous", "workers"]),
    ...pick(flags, [
      "maxBatchTokens",
      "maxWaitMs",
      "maxQueue",
      "maxItems",
      "maxMessages",
      "logMessages",
      "text",
    ]),
    ...(flags.maxBody === undefined ? {} : { maxBodyBytes: flags.maxBody }),
    ...(await chatOptions(flags)),
    apiKeys: await readKeys(flags),
    log,
  };
  const server = await watchQuantizing((watch) => serve(flags.model, { ...options, ...watch }));
  const { model, dtype, device } = server.model;
  log.info({ url: server.url, model, dtype, device }, "listening");
  await signals.first();
  log.info({ seconds: flags.drainSeconds }, "stopping: what has arrived is finished");
  await server.close(flags.drainSeconds);
  log.info({}, "stopped");
}

/** All keys that were given, in whatever way. */
async function readKeys({ apiKey, apiKeyFile }: ServeFlags): Promise<string[]> {
  const keys = [apiKey, process.env.ARMORM_API_KEY].filter((key) => key !== undefined);
  if (apiKeyFile === undefined) return keys;
  let text: string;
  try {
    text = await readFile(apiKeyFile, "utf8");
  } catch {
    throw new InputError(
      "missing-file",
      `--api-key-file: expected a readable file, got ${apiKeyFile}`,
      "give the path of a file with keys, one per line",
    );
  }
  const lines = text.split(/\r?\n/).filter((line) => line !== "");
  if (lines.length === 0) {
    const what = `--api-key-file: expected a key per line, got none in ${apiKeyFile}`;
    throw new InputError("bad-api-key", what, "make one with: openssl rand -hex 32");
  }
  return [...keys, ...lines];
}

const SIGNALS = { SIGINT: 130, SIGTERM: 143 } as const;

type Signal = keyof typeof SIGNALS;

/** What signals do: before there is a server, to tell it to stop, and while it stops. */
interface StopSignals {
  /**
   * SIGTERM ends the process at once. As the first process of a container, node ignores it without a handler. Ctrl-C is the business of
   * whatever shows the progress of loading.
   */
  duringLoading(): void;
  /** Resolves with the first one of either kind; a second one ends the process at once. */
  first(): Promise<void>;
}

function stopSignals(): StopSignals {
  const end = (signal: Signal): void => process.exit(SIGNALS[signal]);
  let onSignal = end;
  const watch = (signal: Signal) => void process.on(signal, () => onSignal(signal));
  return {
    duringLoading: () => watch("SIGTERM"),
    first() {
      watch("SIGINT");
      return new Promise((resolve) => {
        onSignal = () => {
          onSignal = end;
          resolve();
        };
      });
    },
  };
}
