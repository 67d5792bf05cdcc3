import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { type Backbone, openBackbone } from "../../../src/backbone/backbone.ts";
import type { RetryTiming } from "../../../src/backbone/remote/endpoints.ts";
import { openRemoteBackbone } from "../../../src/backbone/remote/remote-backbone.ts";
import { parseRemoteLocation } from "../../../src/checkpoint/remote-location.ts";
import { InputError } from "../../../src/errors.ts";
import { base64, type FakeEngineOptions, startEngine } from "./fake-engine.ts";

let local: Backbone;
beforeAll(async () => {
  local = await openBackbone("tiny");
});
afterAll(() => local.close());
afterEach(() => {
  vi.unstubAllEnvs();
});

const QUICK: RetryTiming = { leastWaitMs: 4, mostWaitMs: 20, tries: 4 };
const open = (location: string, timing = QUICK) =>
  openRemoteBackbone(parseRemoteLocation(location)!, {}, timing);
const engine = (options: Partial<FakeEngineOptions> = {}) =>
  startEngine({ protocol: "vllm", backbone: local, ...options });

const END = 4094;
/** Conversations of one prompt: its last token and that of each response are wanted. */
const requests = [40, 17, 3, 90].map((length, r) => {
  const prompt = Array.from({ length: 12 }, (_, i) => (i === 11 ? END : (i * 31 + (r >> 1)) % 4000));
  const response = Array.from({ length }, (_, i) => (i * 7 + r) % 4000);
  const ids = [...prompt, ...response, END];
  return { ids, positions: r % 2 === 0 ? [11, ids.length - 1] : [ids.length - 1] };
});

/** What opening an engine that is wrong in some way throws. */
const refusal = async (options: Partial<FakeEngineOptions>, settings = ""): Promise<InputError> => {
  await using faulty = await engine(options);
  const name = options.protocol ?? "vllm";
  const failure = await open(`${name}+http://${faulty.host}${settings}#tiny`).then(
    () => null,
    (error: unknown) => error,
  );
  expect(failure).toBeInstanceOf(InputError);
  expect((failure as InputError).message).toContain(faulty.host);
  return failure as InputError;
};

describe("an engine that answers with the states of the local backbone", () => {
  test.each([
    ["vllm", "last"],
    ["vllm", "all"],
    ["vllm", `step:${END}`],
    ["llama-server", "last"],
    ["llama-server", "all"],
  ] as const)("%s, pooling %s, gives the same bits", async (protocol, pooling) => {
    await using served = await engine({ protocol, pooling });
    await using remote = await open(
      `${protocol}+http://${served.host}?pooling=${pooling}&batch-tokens=60#tiny`,
    );
    const done: number[] = [];
    const states = await remote.hiddenStates(requests, { onProgress: (tokens) => done.push(tokens) });
    expect(states).toEqual(await local.hiddenStates(requests));
    const tokens = requests.reduce((sum, { ids }) => sum + ids.length, 0);
    expect(done.at(-1)).toBe(tokens);
    expect(done).toEqual([...done].sort((a, b) => a - b));
    expect(served.seen.length).toBeGreaterThan(3);
    for (const { body } of served.seen.slice(1)) {
      expect(body.input.length === 1 || body.input.flat().length <= 60).toBe(true);
    }
  });

  test("is asked for what the local one is, and identified as the same weights", async () => {
    await using served = await engine({ maxTokens: 500 });
    await using remote = await open(`vllm+http://${served.host}?dtype=bf16#tiny`);
    const { hiddenSize, vocabSize, fingerprint } = local;
    expect(remote).toMatchObject({ hiddenSize, vocabSize, fingerprint });
    expect(remote).toMatchObject({ dtype: "remote:bf16", device: "remote", maxTokens: 500 });
    await expect(remote.hiddenStates([{ ids: [] }])).rejects.toThrow(RangeError);
    await expect(remote.hiddenStates([{ ids: [1], positions: [1] }])).rejects.toThrow(RangeError);
    await expect(remote.hiddenStates([{ ids: [4096] }])).rejects.toThrow(RangeError);
    await expect(remote.hiddenStates([{ ids: new Array(501).fill(1) }])).rejects.toThrow(RangeError);
    expect(await remote.hiddenStates([{ ids: [1], positions: [] }])).toEqual([new Float32Array(0)]);
    const asked = [{ ids: [5, 6, 7], tokenIds: [1, 2] }];
    expect(await remote.nextTokenLogits(asked)).toEqual(await local.nextTokenLogits(asked));
  });

  test("all positions, in any order and repeated, are those of the local one", async () => {
    for (const pooling of ["last", "all"] as const) {
      await using served = await engine({ pooling });
      await using remote = await open(`vllm+http://${served.host}?pooling=${pooling}#tiny`);
      const mixed = [{ ids: [9, 8, 7, 6] }, { ids: [9, 8, 7, 6, 5], positions: [3, 0, 3] }];
      expect(await remote.hiddenStates(mixed)).toEqual(await local.hiddenStates(mixed));
    }
  });

  test("token ids go out, and a prompt that requests share goes out once", async () => {
    await using served = await engine();
    await using remote = await open(`vllm+http://${served.host}#tiny`);
    const [first, second] = [requests[0]!, { ...requests[1]!, positions: [11, requests[1]!.ids.length - 1] }];
    await remote.hiddenStates([first, second]);
    const { path, body } = served.seen.at(-1)!;
    expect(path).toBe("/v1/embeddings");
    expect(body).toMatchObject({
      ...{ model: "served", encoding_format: "base64", embed_dtype: "float32", endianness: "little" },
      use_activation: false,
    });
    expect(body.input).toEqual([first.ids.slice(0, 12), first.ids, second.ids]);
  });

  test("with a row per token, a conversation goes out once", async () => {
    await using served = await engine({ pooling: "all" });
    await using remote = await open(`vllm+http://${served.host}?pooling=all#tiny`);
    await remote.hiddenStates(requests.slice(0, 1));
    const { path, body } = served.seen.at(-1)!;
    expect(path).toBe("/pooling");
    expect(body).toMatchObject({ task: "token_embed", input: [requests[0]!.ids] });
  });

  test("no more requests are under way than the location allows", async () => {
    const before = () => new Promise<boolean>((resolve) => setTimeout(() => resolve(false), 5));
    await using served = await engine({ before });
    await using remote = await open(`vllm+http://${served.host}?in-flight=3&batch-tokens=1#tiny`);
    await remote.hiddenStates(Array.from({ length: 12 }, (_, i) => ({ ids: [i, 1], positions: [1] })));
    expect(served.most()).toBe(3);
  });

  test("the key goes into the header, and nowhere else", async () => {
    vi.stubEnv("ARMORM_REMOTE_KEY", "sesame");
    await using served = await engine();
    await using remote = await open(`vllm+http://${served.host}#tiny`);
    await remote.hiddenStates(requests);
    for (const { authorization, body } of served.seen) {
      expect(authorization).toBe("Bearer sesame");
      expect(JSON.stringify(body)).not.toContain("sesame");
    }
  });
});

describe("an engine is refused, with the option to change, where it", () => {
  const unit = (values: Float32Array) => {
    const norm = Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
    return values.map((value) => value / norm);
  };
  type Answer = { data: { index: number; embedding: string }[]; usage: { prompt_tokens: number } };
  const rewritten = (change: (answer: Answer) => unknown) => ({
    rewrite: (answer: unknown) => change(answer as Answer),
  });

  test("normalizes", async () => {
    expect(await refusal({ bend: unit })).toMatchObject({
      code: "remote-normalized",
      remedy: expect.stringContaining(`--pooler-config '{"pooling_type":"LAST","use_activation":false}'`),
    });
    expect(await refusal({ protocol: "llama-server", bend: unit })).toMatchObject({
      code: "remote-normalized",
      remedy: expect.stringContaining("--embd-normalize -1"),
    });
  });

  test("normalizes, in every list of an answer; one state of norm 1 among others is a state", async () => {
    const bend = (values: Float32Array, ids: readonly number[]) => (ids.length === 3 ? unit(values) : values);
    await using served = await engine({ bend });
    await using remote = await open(`vllm+http://${served.host}#tiny`);
    const [three, four] = [{ ids: [1, 2, 3] }, { ids: [1, 2, 3, 4] }].map(({ ids }) => {
      return { ids, positions: [ids.length - 1] };
    });
    const [state] = await remote.hiddenStates([three!, four!]);
    expect(Math.hypot(...state!)).toBeCloseTo(1, 3);
    await expect(remote.hiddenStates([three!])).rejects.toMatchObject({ code: "remote-normalized" });
  });

  test("does not say how many tokens it has read, where nothing else tells", async () => {
    for (const usage of [undefined, { prompt_tokens: 0 }]) {
      const error = await refusal({ rewrite: (answer) => ({ ...(answer as Answer), usage }) });
      expect(error).toMatchObject({
        code: "remote-usage",
        message: expect.stringContaining("expected usage.prompt_tokens"),
        remedy: expect.stringContaining("something between changes its answers"),
      });
    }
  });

  test("truncates", async () => {
    const error = await refusal(rewritten((answer) => ({ ...answer, usage: { prompt_tokens: 15 } })));
    expect(error).toMatchObject({
      code: "remote-truncated",
      remedy: expect.stringContaining("--max-model-len"),
    });
    expect(error.message).toContain("expected 16 tokens to be read, got usage.prompt_tokens 15");
  });

  test("answers to fewer lists, or to none", async () => {
    expect(await refusal(rewritten((answer) => ({ ...answer, data: [] })))).toMatchObject({
      code: "remote-order",
    });
  });

  test("gives lists in another order", async () => {
    await using served = await engine(
      rewritten((answer) => ({
        ...answer,
        data: answer.data.length > 1 ? [...answer.data].reverse() : answer.data,
      })),
    );
    await using remote = await open(`vllm+http://${served.host}#tiny`);
    await expect(remote.hiddenStates(requests)).rejects.toMatchObject({
      code: "remote-order",
      message: expect.stringMatching(/index \d at place 0/),
    });
  });

  test("gives rows of another width", async () => {
    const half = { bend: (values: Float32Array) => values.slice(0, 100) };
    expect(await refusal(half)).toMatchObject({
      code: "remote-width",
      message: expect.stringContaining("got 100 values"),
    });
    const rows = {
      protocol: "llama-server",
      pooling: "all",
      rewrite: () => [
        {
          index: 0,
          embedding: [
            [1, 2],
            [3, 4],
          ],
        },
      ],
    } as const;
    expect(await refusal(rows, "?pooling=all")).toMatchObject({ code: "remote-width" });
  });

  test("gives one row where one per token is asked for, and the other way round", async () => {
    const one = await refusal({ pooling: "all", bend: (values) => values.slice(0, 256) }, "?pooling=all");
    expect(one).toMatchObject({
      code: "remote-rows",
      message: expect.stringContaining("expected 16 rows for 16 tokens, got 1"),
      remedy: expect.stringContaining('"tok_pooling_type":"ALL"'),
    });
    const all = await refusal(
      rewritten(({ data, usage }) => ({
        usage,
        data: [{ ...data[0]!, embedding: base64(new Float32Array(512).fill(2)) }],
      })),
    );
    expect(all).toMatchObject({
      code: "remote-rows",
      remedy: expect.stringContaining('"pooling_type":"LAST"'),
    });
    const ragged = {
      protocol: "llama-server",
      pooling: "all",
      rewrite: () => [{ index: 0, embedding: [[1, 2], [3]] }],
    } as const;
    expect(await refusal(ragged, "?pooling=all")).toMatchObject({
      code: "remote-rows",
      remedy: expect.stringContaining("--pooling none"),
    });
  });

  test("gives fewer rows than the token of a step occurs", async () => {
    const error = await refusal(
      { pooling: `step:${END}`, bend: () => new Float32Array(0) },
      `?pooling=step:${END}`,
    );
    expect(error).toMatchObject({
      code: "remote-rows",
      remedy: expect.stringContaining(`"step_tag_id":${END}`),
    });
  });

  test("gives NaN", async () => {
    const bend = (values: Float32Array) => values.fill(Number.NaN, 7, 8);
    expect(await refusal({ bend })).toMatchObject({ code: "remote-not-finite" });
    expect(await refusal({ protocol: "llama-server", pooling: "all", bend }, "?pooling=all")).toMatchObject({
      code: "remote-not-finite",
    });
  });

  test("gives something else", async () => {
    expect(await refusal({ rewrite: () => "hello" })).toMatchObject({ code: "remote-rows" });
    expect(await refusal({ rewrite: () => ({ data: [{ index: 0, embedding: {} }] }) })).toMatchObject({
      code: "remote-rows",
    });
  });

  test("serves several models, or none of that name", async () => {
    expect((await refusal({ models: ["a", "b"] })).message).toContain("expected one model, got a, b");
    expect((await refusal({ models: ["a"] }, "?model=c")).message).toContain("expected model c, got a");
    await using served = await engine({ models: ["a", "b"] });
    await using remote = await open(`vllm+http://${served.host}?model=b#tiny`);
    await remote.hiddenStates(requests);
    expect(served.seen.at(-1)!.body.model).toBe("b");
  });

  test("says no: its words and what to set are in the error", async () => {
    const before: FakeEngineOptions["before"] = (_, response) => {
      response.writeHead(401).end(JSON.stringify({ error: { message: "who\n are you?" } }));
      return true;
    };
    expect(await refusal({ before })).toMatchObject({
      code: "remote-refused",
      message: expect.stringMatching(/embeddings: expected an answer, got status 401: who are you\?$/),
      remedy: expect.stringContaining("ARMORM_REMOTE_KEY"),
    });
  });

  test("has another pooling, and says so in its own words", async () => {
    const message = "Pooling type 'none' is not OAI compatible. Please use a different pooling type";
    const before: FakeEngineOptions["before"] = (_, response) => {
      response.writeHead(400).end(JSON.stringify({ error: { message } }));
      return true;
    };
    expect(await refusal({ protocol: "llama-server", before })).toMatchObject({
      message: expect.stringContaining("got status 400: Pooling type 'none'"),
      remedy: expect.stringContaining("--embeddings --pooling last --embd-normalize -1"),
    });
  });

  test("cannot take a conversation, which is not asked again", async () => {
    let count = 0;
    const message =
      "input (900 tokens) is too large to process. increase the physical batch size (current batch size: 512)";
    const before: FakeEngineOptions["before"] = (_, response) => {
      count += 1;
      response.writeHead(500).end(JSON.stringify({ error: { message } }));
      return true;
    };
    const error = await refusal({ protocol: "llama-server", before });
    expect(error).toMatchObject({ code: "remote-refused", remedy: expect.stringContaining("--ubatch-size") });
    expect(count).toBe(1);
  });

  test("is asked for what it cannot do", async () => {
    await expect(open(`llama-server+http://127.0.0.1:1?pooling=step:4#tiny`)).rejects.toThrow(
      "expected pooling last or all",
    );
    await using served = await engine({ pooling: `step:${END}` });
    await using remote = await open(`vllm+http://${served.host}?pooling=step:${END}#tiny`);
    await expect(remote.hiddenStates([{ ids: [END, 5], positions: [1] }])).rejects.toThrow(
      `expected token ${END} at every position wanted (pooling=step:${END}), got token 5`,
    );
  });
});

test("arithmetic is the engine's: options for it are refused", async () => {
  for (const options of [{ dtype: "int8" }, { device: "cuda" }, { threads: 2 }] as const) {
    await expect(openBackbone("vllm+http://127.0.0.1:1#tiny", options)).rejects.toMatchObject({
      code: "unsupported-option",
      message: expect.stringContaining(Object.keys(options)[0]!),
    });
  }
});
