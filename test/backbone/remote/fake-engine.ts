import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Backbone } from "../../../src/backbone/backbone.ts";
import type { Pooling } from "../../../src/checkpoint/remote-location.ts";

/** What an engine has been sent. */
export interface SeenRequest {
  readonly path: string;
  readonly authorization: string | undefined;
  readonly body: { readonly model: string; readonly input: number[][] } & Record<string, unknown>;
}

export interface FakeEngineOptions {
  readonly protocol: "vllm" | "llama-server";
  /** Answers with its states. */
  readonly backbone: Backbone;
  readonly pooling?: Pooling;
  /** Names that it serves its model by. */
  readonly models?: readonly string[];
  readonly maxTokens?: number;
  /** Comes before every answer to lists of ids; returns true where it has answered itself. */
  readonly before?: (
    seen: SeenRequest,
    response: ServerResponse,
    count: number,
  ) => boolean | Promise<boolean>;
  /** Changes the rows of a list, `[n, H]`. */
  readonly bend?: (values: Float32Array, ids: readonly number[]) => Float32Array;
  /** Changes the whole answer. */
  readonly rewrite?: (answer: unknown) => unknown;
}

export interface FakeEngine extends AsyncDisposable {
  /** `127.0.0.1:port` */
  readonly host: string;
  readonly seen: SeenRequest[];
  /** Most requests that were under way together. */
  readonly most: () => number;
  /** Ends it, connections included. Another can be started on its port. */
  stop(): Promise<void>;
}

/** An engine that speaks vLLM's or llama-server's protocol, with whatever is wrong with it. */
export async function startEngine(options: FakeEngineOptions, port = 0): Promise<FakeEngine> {
  const { protocol, models = ["served"], maxTokens, before, rewrite = (answer) => answer } = options;
  const seen: SeenRequest[] = [];
  let active = 0;
  let most = 0;

  const listModels = () => ({
    data: models.map((id) =>
      protocol === "vllm"
        ? { id, max_model_len: maxTokens ?? null }
        : { id, meta: { n_embd: options.backbone.hiddenSize, n_ctx: maxTokens } },
    ),
  });

  const answerIds = async (request: SeenRequest, response: ServerResponse) => {
    seen.push(request);
    if (await before?.(request, response, seen.length)) return;
    const answer = await embed(options, request);
    response.setHeader("content-type", "application/json").end(JSON.stringify(rewrite(answer)));
  };

  const server = createServer(async (incoming, response) => {
    active += 1;
    most = Math.max(most, active);
    response.on("close", () => {
      active -= 1;
    });
    const text = await readText(incoming);
    if (incoming.method === "GET") {
      response.setHeader("content-type", "application/json").end(JSON.stringify(listModels()));
      return;
    }
    const { authorization } = incoming.headers;
    await answerIds({ path: incoming.url!, authorization, body: JSON.parse(text) }, response);
  });
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  const stop = async () => {
    server.closeAllConnections();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  };
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    most: () => most,
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

async function readText(incoming: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of incoming.setEncoding("utf8")) text += chunk;
  return text;
}

async function embed(
  { protocol, backbone, pooling = "last", bend = (values) => values }: FakeEngineOptions,
  { body }: SeenRequest,
): Promise<unknown> {
  const lists = body.input;
  const states = await backbone.hiddenStates(lists.map((ids) => ({ ids, positions: rowsOf(ids, pooling) })));
  const H = backbone.hiddenSize;
  const values = states.map((rows, i) => bend(rows, lists[i]!));
  const usage = { prompt_tokens: lists.reduce((sum, ids) => sum + ids.length, 0) };
  if (protocol === "vllm") {
    const name = pooling === "last" ? "embedding" : "data";
    return { data: values.map((rows, index) => ({ index, [name]: base64(rows) })), usage };
  }
  if (pooling === "last") {
    return { data: values.map((rows, index) => ({ index, embedding: base64(rows) })), usage };
  }
  return values.map((rows, index) => ({
    index,
    embedding: Array.from({ length: rows.length / H }, (_, n) => [...rows.subarray(n * H, (n + 1) * H)]),
  }));
}

function rowsOf(ids: readonly number[], pooling: Pooling): number[] {
  const places = ids.map((_, place) => place);
  if (pooling === "last") return [ids.length - 1];
  if (pooling === "all") return places;
  return places.filter((place) => ids[place] === Number(pooling.slice(5)));
}

export const base64 = (values: Float32Array): string =>
  Buffer.from(values.buffer, values.byteOffset, values.byteLength).toString("base64");
