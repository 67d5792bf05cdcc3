// A backbone that runs in an engine elsewhere: token ids out, hidden states back.
//
// n rows of an id list, P requested positions, H hidden size.

import { openCheckpoint } from "../../checkpoint/checkpoint.ts";
import type { Pooling, RemoteLocation } from "../../checkpoint/remote-location.ts";
import { InputError } from "../../errors.ts";
import { describeDecoder } from "../architectures/families.ts";
import type { Backbone, BackboneOptions, HiddenStatesOptions, HiddenStatesRequest } from "../backbone.ts";
import { areFinite, lookForFinite } from "../finite-states.ts";
import { nextTokenLogits } from "../next-token-logits.ts";
import { countTokens, sequenceOf } from "../sequences.ts";
import { agree, checkAnswer, type Expected, notFinite } from "./checks.ts";
import type { Dialect, ServedModel } from "./dialect.ts";
import { RETRY_TIMING, type RetryTiming } from "./endpoints.ts";
import { DIALECTS } from "./engines.ts";
import { planBatches, planLists, type RemotePlan, stepId } from "./plan.ts";
import { readServedCheckpoint, remoteFingerprint, type ServedCheckpoint } from "./served-checkpoint.ts";
import { KEY_VARIABLE, type Reply, Transport } from "./transport.ts";

const IN_FLIGHT = 8;
const BATCH_TOKENS = 8192;
const TIMEOUT_S = 300;

/**
 * Opens the backbone that an engine serves. Asks it for its model and for the states of a short list, of every endpoint: what it
 * does otherwise than the location says is known before the work begins.
 *
 * @throws {InputError} `unsupported-option` for options about arithmetic, which is the engine's; `remote-unreachable`,
 *   `remote-refused`; `remote-model` where the engine serves several models or other sizes; `remote-endpoints` where endpoints
 *   serve different weights; those of `checkAnswer` and `readServedCheckpoint`.
 */
export async function openRemoteBackbone(
  remote: RemoteLocation,
  options: BackboneOptions = {},
  timing: RetryTiming = RETRY_TIMING,
): Promise<Backbone> {
  const { settings, endpoints } = remote;
  refuseOptions(options);
  const dialect = DIALECTS[remote.engine];
  const { pooling = "last", inFlight = IN_FLIGHT, timeoutS = TIMEOUT_S } = settings;
  if (pooling.startsWith("step:") && !dialect.steps) {
    throw new InputError(
      "bad-remote",
      `${remote.engine}: expected pooling last or all, got ${pooling}`,
      "use pooling=last, which gives any position",
    );
  }
  const checkpoint = await readServedCheckpoint(remote);
  const key = process.env[KEY_VARIABLE] || undefined;
  const transport = new Transport(endpoints, {
    inFlight,
    timeoutS,
    timing,
    serve: dialect.serve(pooling),
    key,
  });
  try {
    const signal = options.signal ?? new AbortController().signal;
    const model = await findModel(transport, remote, dialect, checkpoint, signal);
    const engine = { transport, dialect, pooling, model: model.name, hiddenSize: checkpoint.hiddenSize };
    await probeEndpoints(engine, checkpoint.vocabSize, signal, options.onNote);
    return remoteBackbone(engine, remote, checkpoint, model);
  } catch (error) {
    await transport.close();
    throw error;
  }
}

/** How states are asked for. */
interface RemoteEngine {
  readonly transport: Transport;
  readonly dialect: Dialect;
  readonly pooling: Pooling;
  readonly model: string;
  readonly hiddenSize: number;
}

function refuseOptions({ dtype = "auto", device = "auto", threads }: BackboneOptions): void {
  const given =
    dtype !== "auto" ? "dtype" : device !== "auto" ? "device" : threads === undefined ? null : "threads";
  if (given === null) return;
  throw new InputError(
    "unsupported-option",
    `remote backbone: expected no ${given}, got one`,
    "the engine decides how it computes: set it where the engine is started (dtype=NAME in the location records it)",
  );
}

async function findModel(
  transport: Transport,
  { settings }: RemoteLocation,
  dialect: Dialect,
  { hiddenSize }: ServedCheckpoint,
  signal: AbortSignal,
): Promise<ServedModel> {
  const { endpoint, json } = await transport.send("/v1/models", null, signal);
  const models = dialect.readModels(json);
  const names = models.map(({ name }) => name);
  const wanted = settings.model;
  const model =
    wanted === undefined && models.length === 1 ? models[0] : models.find(({ name }) => name === wanted);
  if (model === undefined) {
    throw new InputError(
      "remote-model",
      `${endpoint}: expected ${wanted === undefined ? "one model" : `model ${wanted}`}, got ${names.join(", ") || "none"}`,
      "name one of these in the location: ?model=NAME",
    );
  }
  if (model.hiddenSize !== null && model.hiddenSize !== hiddenSize) {
    throw new InputError(
      "remote-model",
      `${endpoint}: expected a model ${hiddenSize} wide, got ${model.name}, ${model.hiddenSize} wide`,
      "name the checkpoint that the engine serves behind #",
    );
  }
  return model;
}

const PROBE_TOKENS = 16;

/** Asks every endpoint for the states of the same list; those that do not answer may do so later. */
async function probeEndpoints(
  engine: RemoteEngine,
  vocabSize: number,
  signal: AbortSignal,
  onNote: BackboneOptions["onNote"],
): Promise<void> {
  const { transport, dialect, pooling, model } = engine;
  const spread = Array.from({ length: PROBE_TOKENS }, (_, i) => Math.floor((i * vocabSize) / PROBE_TOKENS));
  const lists = [pooling.startsWith("step:") ? [...spread, stepId(pooling)] : spread];
  const path = dialect.path(pooling);
  const body = dialect.body(lists, model, pooling);
  const read = (reply: Reply): Float32Array => {
    const [states] = readReply(engine, reply, lists);
    if (!areFinite(states!)) throw notFinite(expectedOf(engine, reply));
    return states!;
  };
  const first = await transport.send(path, body, signal);
  const reference = read(first);
  const others = transport.endpoints.all.filter(({ url }) => url !== first.endpoint);
  await Promise.all(
    others.map(async (endpoint) => {
      const reply = await transport.ask(endpoint, path, body, signal);
      if (reply instanceof Error) {
        onNote?.(
          `${endpoint.url} does not answer (${reply.message}): going on with the other endpoints, and asking it again`,
        );
        return;
      }
      if (agree(reference, read(reply))) return;
      throw new InputError(
        "remote-endpoints",
        `${endpoint.url}: expected the states that ${first.endpoint} gives, got others`,
        "all endpoints must serve the same weights",
      );
    }),
  );
}

const expectedOf = (engine: RemoteEngine, { endpoint }: Reply): Expected => ({ ...engine, endpoint });

/** Checked rows `[n, H]` per list. */
function readReply(
  engine: RemoteEngine,
  reply: Reply,
  lists: readonly (readonly number[])[],
): Float32Array[] {
  const answer = engine.dialect.read(reply.json);
  if (answer !== null) return checkAnswer(answer, lists, expectedOf(engine, reply));
  throw new InputError(
    "remote-rows",
    `${reply.endpoint}: expected embeddings, got another answer`,
    engine.dialect.remedy("rows", engine.pooling),
  );
}

function remoteBackbone(
  engine: RemoteEngine,
  { settings }: RemoteLocation,
  checkpoint: ServedCheckpoint,
  model: ServedModel,
): Backbone {
  const { transport, hiddenSize: H } = engine;
  const { vocabSize } = checkpoint;
  const maxTokens = Math.min(checkpoint.maxTokens, model.maxTokens ?? Number.POSITIVE_INFINITY);
  const closing = new AbortController();

  const close = async () => {
    closing.abort(new Error("hiddenStates: the backbone is closed"));
    await transport.close();
  };

  const hiddenStates = async (
    requests: readonly HiddenStatesRequest[],
    { signal, onProgress, keepNotFinite = false }: HiddenStatesOptions = {},
  ): Promise<Float32Array[]> => {
    closing.signal.throwIfAborted();
    const sequences = requests.map((request) => sequenceOf(request, { vocabSize, maxTokens }));
    const { lists, wanted } = planLists(sequences, engine.pooling);
    const results = wanted.map((rows) => new Float32Array(rows.length * H)); // [P, H]
    const takersOf: { result: Float32Array; p: number; row: number }[][] = lists.map(() => []);
    for (const [r, rows] of wanted.entries()) {
      for (const [p, { list, row }] of rows.entries()) takersOf[list]!.push({ result: results[r]!, p, row });
    }
    const batches = planBatches(lists, settings.batchTokens ?? BATCH_TOKENS);
    const totalTokens = countTokens(sequences);
    const sentTokens = lists.reduce((sum, ids) => sum + ids.length, 0);
    let doneTokens = 0;
    const ask = async (sent: RemotePlan["lists"], stop: AbortSignal) => {
      const body = engine.dialect.body(sent, engine.model, engine.pooling);
      const reply = await transport.send(engine.dialect.path(engine.pooling), body, stop);
      return { states: readReply(engine, reply, sent), reply };
    };
    const look = lookForFinite(keepNotFinite);
    await inParallel(batches, transport.endpoints.capacity, [signal, closing.signal], async (batch, stop) => {
      const sent = batch.map((list) => lists[list]!);
      const { states, reply } = await ask(sent, stop);
      const refusal = () => notFinite(expectedOf(engine, reply));
      const kept = await look(sent, states, refusal, async (ids) => (await ask([ids], stop)).states[0]!);
      for (const [i, values] of kept.entries()) {
        for (const { result, p, row } of takersOf[batch[i]!]!) {
          result.set(values.subarray(row * H, (row + 1) * H), p * H);
        }
      }
      doneTokens += sent.reduce((sum, ids) => sum + ids.length, 0);
      // Prefixes count too: progress is told in tokens of the requests.
      onProgress?.(Math.round((totalTokens * doneTokens) / sentTokens), totalTokens);
    });
    return results;
  };

  const backbone: Backbone = {
    hiddenSize: H,
    maxTokens,
    vocabSize,
    fingerprint: checkpoint.fingerprint ?? remoteFingerprint(checkpoint, model.name),
    dtype: `remote:${settings.dtype ?? model.dtype ?? "unknown"}`,
    device: "remote",
    hiddenStates,
    async nextTokenLogits(requests, options) {
      if (checkpoint.whole === null) {
        throw new InputError(
          "no-output-head",
          "nextTokenLogits: expected the output head of the checkpoint behind #, got one without weights",
          "name a directory with its weights: engines give hidden states, the head is applied here",
        );
      }
      const decoder = describeDecoder(await openCheckpoint(checkpoint.whole));
      return await nextTokenLogits(backbone, decoder, requests, options);
    },
    close,
    [Symbol.asyncDispose]: close,
  };
  return backbone;
}

/** Works through items, so many at a time, until one fails: then the others are stopped, and its error is thrown. */
async function inParallel<Item>(
  items: readonly Item[],
  atATime: number,
  signals: readonly (AbortSignal | undefined)[],
  work: (item: Item, stop: AbortSignal) => Promise<void>,
): Promise<void> {
  const failing = new AbortController();
  const stop = AbortSignal.any([failing.signal, ...signals.filter((signal) => signal !== undefined)]);
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < items.length) {
      stop.throwIfAborted();
      await work(items[next++]!, stop);
    }
  };
  const workers = Array.from({ length: Math.min(atATime, items.length) }, () =>
    worker().catch((error) => {
      failing.abort(error);
    }),
  );
  await Promise.all(workers);
  stop.throwIfAborted();
}
