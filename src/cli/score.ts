import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { Command } from "commander";
import pc from "picocolors";
import type { ConversationRow } from "../data/records.ts";
import type { EmbeddingSet } from "../embedding/embedding-set.ts";
import { InputError } from "../errors.ts";
import type { RewardModel, Score } from "../reward-model.ts";
import { explainedScore, explainGate, explainScore, signed } from "../scoring/explanation.ts";
import { rankingChange } from "../scoring/ranking.ts";
import type { ScoredEmbeddedPair } from "../scoring/score-embeddings.ts";
import { type BackboneFlags, chatOptions, withBackboneOptions } from "./backbone-options.ts";
import { download, withDownloads } from "./downloads.ts";
import { pick } from "./flags.ts";
import { bar, fixed, note, print, wrap } from "./output.ts";
import { watchQuantizing } from "./quantizing.ts";
import { countRows, idOf, type RowFlags, rowHeading, rowSource, runRows, withRowOptions } from "./rows.ts";
import { type SteeringFlags, steeringFor, steeringOf, withSteeringOptions } from "./steering-options.ts";
import { countTurned } from "./steering-tables.ts";
import { explainTokens, printTokens, type TokenExplanation } from "./tokens.ts";
import { printTrace, refuseTrace, type TraceFlags, traceOptions, withTraceOption } from "./trace.ts";

/** Options of every command that opens a model. */
export interface ModelFlags extends BackboneFlags {
  model: string;
  backbone?: string;
}

interface ScoreFlags extends ModelFlags, RowFlags, SteeringFlags, TraceFlags {
  embeddings?: string[];
  explainTokens?: boolean;
}

/** Adds the options that name and open a model. */
export function withModelOptions(command: Command): Command {
  const opened = withOpeningOptions(
    command.requiredOption(
      "--model <location>",
      "model directory that armorm has written, an ArmoRM or a Bradley–Terry checkpoint, or org/name on the hub",
    ),
  );
  return withDownloads(opened, downloadModel);
}

/** Adds the options that say how a model is opened. */
export function withOpeningOptions(command: Command): Command {
  command.option(
    "--backbone <location>",
    "where the model's backbone lies now, org/name, or a remote engine (default: as the model says)",
  );
  return withBackboneOptions(command);
}

/** The model from the hub, and what its backbone needs to do there. */
export async function downloadModel(flags: ModelFlags & Partial<ScoreFlags>): Promise<Partial<ModelFlags>> {
  const model = await download(flags.model);
  if (flags.embeddings) return { model };
  const { openModelDirectory } = await import("../opening/open-model-directory.ts");
  const where = flags.backbone ?? (await openModelDirectory(model)).backbone.location;
  const backbone = await download(where, { weights: !flags.explainTokens });
  return flags.backbone === undefined ? { model } : { model, backbone };
}

export function scoreCommand(): Command {
  const command = new Command("score")
    .description("score conversations and show what each score is made of")
    .argument("[file]", "JSON or JSONL: messages, or prompt and response; - or nothing reads standard input")
    .option("--embeddings <dir...>", "embedded pairs instead of a file: the heads alone run, in seconds")
    .option("--explain-tokens", "show what the model reads, token by token, instead of scoring it");
  return withModelOptions(withSteeringOptions(withRowOptions(withTraceOption(command))))
    .action(run)
    .addHelpText(
      "after",
      `
Examples:
  armorm score --model model conversations.jsonl
  armorm score --model model conversations.jsonl --trace                (sentence by sentence; --trace=token)
  armorm score --model model conversations.jsonl --out scores.jsonl     (killed? the same command continues)
  armorm score --model model conversations.jsonl --scale safety=3 --without verbosity
  echo '{"prompt":"Name a prime.","response":"Seven."}' | armorm score --model model --json`,
    );
}

/** Opens the model that a command's options name. */
export async function openModel(flags: ModelFlags): Promise<RewardModel> {
  const { openRewardModel } = await import("../opening/open-reward-model.ts");
  const options = await modelOptions(flags);
  // In a process of its own a large model loads faster (isolated-model.ts says why).
  const isolate = (await backboneBytes(flags)) > LARGE_BYTES;
  return watchQuantizing((watch) => openRewardModel(flags.model, { ...options, ...watch, isolate }));
}

const LARGE_BYTES = 2e9;

/** Bytes of the weights in the directory of a model's backbone. */
async function backboneBytes({ model, backbone }: ModelFlags): Promise<number> {
  const [{ locateCheckpoint }, { parseRemoteLocation }, { openModelDirectory }] = await Promise.all([
    import("../checkpoint/location.ts"),
    import("../checkpoint/remote-location.ts"),
    import("../opening/open-model-directory.ts"),
  ]);
  const where = backbone ?? (await openModelDirectory(model)).backbone.location;
  if (parseRemoteLocation(where) !== null) return 0; // they are elsewhere
  const { directory } = await locateCheckpoint(where);
  const files = (await readdir(directory).catch(() => [])).filter((name) => name.endsWith(".safetensors"));
  const stats = await Promise.all(files.map((name) => stat(join(directory, name))));
  return stats.reduce((sum, { size }) => sum + size, 0);
}

async function modelOptions(flags: ModelFlags) {
  return { ...pick(flags, ["device", "dtype", "threads", "backbone"]), ...(await chatOptions(flags)) };
}

/** What a run with these options must share with the run that it continues; needed for `--out` only. */
export async function runIdentity(
  command: string,
  flags: ModelFlags & RowFlags & SteeringFlags,
): Promise<unknown> {
  if (flags.out === undefined) return null;
  const [{ openModelDirectory }, { modelIdentity }] = await Promise.all([
    import("../opening/open-model-directory.ts"),
    import("./model-identity.ts"),
  ]);
  const steering = steeringOf(flags);
  const model = await modelIdentity(await openModelDirectory(flags.model), flags);
  return { command, model, ...(steering ? { steering } : {}) };
}

async function run(file: string | undefined, flags: ScoreFlags): Promise<void> {
  if (flags.embeddings && (file !== undefined || flags.explainTokens)) {
    const other = file === undefined ? "--explain-tokens" : file;
    throw new InputError(
      "wrong-usage",
      `score: expected --embeddings alone, got ${other} too`,
      "give either embeddings or conversations",
    );
  }
  if (flags.explainTokens && steeringOf(flags)) {
    throw new InputError(
      "wrong-usage",
      "score: expected --explain-tokens without --weights, --scale and --without, got both",
      "leave one out: steering changes scores, not what the model reads",
    );
  }
  if (flags.embeddings)
    refuseTrace(flags, "--embeddings", "only the last token's state is left of a response");
  if (flags.explainTokens) refuseTrace(flags, "--explain-tokens", "nothing is scored");
  if (flags.embeddings) await scoreEmbeddings(flags.embeddings, flags);
  else if (flags.explainTokens) await explain(file, flags);
  else await scoreConversations(file, flags);
}

// Loaded by a function of its own: tsc does not rewrite import paths inside a function that says `await using`.
const loadReaders = () => import("../data/conversations.ts");

async function scoreConversations(file: string | undefined, flags: ScoreFlags): Promise<void> {
  const { readConversations } = await loadReaders();
  const total = await countRows(file);
  const steering = await steeringFor(flags);
  const identity = { run: await runIdentity("score", flags), ...traceOptions(flags) };
  await using model = await openModel(flags);
  await runRows<ConversationRow, Score>(flags, {
    what: "scoring",
    done: "scored",
    rows: readConversations(rowSource(file)),
    total,
    identity,
    compute: (rows) =>
      model.score(
        rows.map(({ messages }) => messages),
        { ...traceOptions(flags), ...(steering ? { steering } : {}) },
      ),
    toJson: (score, row, index) => [{ ...idOf(row), ...explainedScore(score), index }],
    print: (score, row, index) => printScore(rowHeading(row, index), score, `${score.tokens} tokens`),
    errorsInPlace: true,
  });
}

async function scoreEmbeddings(directories: readonly string[], flags: ScoreFlags): Promise<void> {
  const [{ openEmbeddingSet }, { openModelDirectory }, { scorePairSets }] = await Promise.all([
    import("../embedding/embedding-set.ts"),
    import("../opening/open-model-directory.ts"),
    import("../scoring/score-embeddings.ts"),
  ]);
  const sets: readonly EmbeddingSet[] = await Promise.all(directories.map(openEmbeddingSet));
  const model = await openModelDirectory(flags.model);
  const steering = await steeringFor(flags);
  const turned = countTurned("pairs");
  const sides = ["chosen", "rejected"] as const;
  await runRows<ScoredEmbeddedPair, ScoredEmbeddedPair>(flags, {
    what: "scoring",
    done: "scored",
    rows: onlyScored(scorePairSets(model, sets, steering ? { steering } : {})),
    total: sets.reduce((sum, set) => sum + set.rows, 0),
    identity: await runIdentity("score --embeddings", flags),
    compute: async (pairs) => {
      for (const { chosen, rejected } of pairs) turned.add(rankingChange([chosen, rejected]));
      return pairs;
    },
    toJson: (pair, row, index) =>
      sides.map((response) => {
        const { tokens, ...score } = pair[response];
        const subset = pair.subset ?? pair.source;
        const explanation = explainScore(score);
        return { ...idOf(row), response, subset, ...score, explanation, responseTokens: tokens, index };
      }),
    print: (pair, row, index) => {
      for (const response of sides) {
        const heading = `${rowHeading(row, index)} ${response.padEnd(8)}`;
        const { tokens } = pair[response];
        const length = Number.isNaN(tokens) ? "a response" : `response of ${tokens} tokens`;
        printScore(heading, pair[response], length);
      }
    },
    errorsInPlace: true,
  });
  if (steering) note(turned.text());
}

/** Nothing was to be skipped. */
async function* onlyScored<Skipped extends object>(
  rows: AsyncIterable<ScoredEmbeddedPair | Skipped>,
): AsyncGenerator<ScoredEmbeddedPair> {
  for await (const row of rows) if ("chosen" in row) yield row;
}

async function explain(file: string | undefined, flags: ScoreFlags): Promise<void> {
  const [{ readConversations }, { openModelDirectory }, { openModelChat }] = await Promise.all([
    import("../data/conversations.ts"),
    import("../opening/open-model-directory.ts"),
    import("../scoring/local-model.ts"),
  ]);
  const model = await openModelDirectory(flags.model);
  const chat = await openModelChat(model, await modelOptions(flags));
  await runRows<ConversationRow, TokenExplanation>(flags, {
    what: "explaining",
    done: "explained",
    rows: readConversations(rowSource(file)),
    total: await countRows(file),
    identity: await runIdentity("score --explain-tokens", flags),
    compute: async (rows) => rows.map(({ messages }) => explainTokens(chat, messages)),
    toJson: (explanation, row, index) => [{ ...idOf(row), index, ...explanation }],
    print: (explanation, row, index) => printTokens(rowHeading(row, index), explanation, model.scorer.gated),
    errorsInPlace: true,
  });
}

/** Objectives shown for one score: those that move it most. */
const SHOWN = 6;

function printScore(heading: string, score: Score, length: string): void {
  const before = score.unsteered ? `, unsteered ${fixed(score.unsteered.score, 4)}` : "";
  print(`${heading}  score ${pc.bold(fixed(score.score, 4))}  (${length}${before})`);
  // One objective alone is the score.
  if (Object.keys(score.contributions).length > 1) print(wrap(explainScore(score), "  "));
  printGate(score);
  printContributions(score.contributions, score.rewards, score.ratings);
  printTrace(score);
}

/** What the gate makes of the prompt; nothing for a model without one. */
export function printGate({ gatingOutput }: Pick<Score, "gatingOutput">): void {
  const words = explainGate(gatingOutput);
  if (words !== null) print(pc.dim(wrap(words, "  ")));
}

/** The largest contributions as bars, with the rewards they come from, on the scale of the ratings where there is one. */
export function printContributions(
  contributions: Readonly<Record<string, number>>,
  rewards?: Readonly<Record<string, number>>,
  ratings: Readonly<Record<string, number>> = {},
): void {
  // One objective alone is the score, or the margin, that stands above.
  if (Object.keys(contributions).length === 1) return;
  const entries = Object.entries(contributions).sort(([, a], [, b]) => Math.abs(b) - Math.abs(a));
  const largest = Math.abs(entries[0]?.[1] ?? 0) || 1;
  const width = Math.max(...entries.map(([name]) => name.length));
  for (const [name, value] of entries.slice(0, SHOWN)) {
    const rating = ratings[name] === undefined ? "" : `  rating ${fixed(ratings[name], 2)}`;
    const reward = rewards ? pc.dim(`  reward ${fixed(rewards[name], 3).padStart(6)}${rating}`) : "";
    print(`  ${name.padEnd(width)}  ${bar(value / largest)}  ${signed(value, 4)}${reward}`);
  }
  const rest = entries.slice(SHOWN);
  if (rest.length === 0) return;
  const sum = rest.reduce((total, [, value]) => total + value, 0);
  print(pc.dim(`  ${"others".padEnd(width)}  ${" ".repeat(25)}  ${signed(sum, 4)}`));
}
