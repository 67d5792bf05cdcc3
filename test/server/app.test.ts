import { describe, expect, test } from "vitest";
import { InputError } from "../../src/errors.ts";
import type { Comparison, Score } from "../../src/reward-model.ts";
import { explainedScore } from "../../src/scoring/explanation.ts";
import { createAccess, keyAccess, LOOPBACK_ACCESS } from "../../src/server/access.ts";
import { type AppOptions, createApp } from "../../src/server/app.ts";
import { Unavailable } from "../../src/server/errors.ts";
import { DEFAULT_LIMITS } from "../../src/server/limits.ts";
import { fakeScore, fakeService } from "./fake-service.ts";

const service = fakeService();
const app = createApp(service);
const prompt = { role: "user", content: "Name a prime." };
const answered = (content: string) => [prompt, { role: "assistant", content }];

const post = (path: string, body: unknown, headers: Record<string, string> = {}, options?: AppOptions) =>
  (options ? createApp(service, options) : app).request(path, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: typeof body === "string" || body instanceof Uint8Array ? body : JSON.stringify(body),
  });

async function json<T>(response: Response | Promise<Response>): Promise<T> {
  return (await (await response).json()) as T;
}

/** Status and code of an error, whose body must be one line. */
async function errorOf(response: Response | Promise<Response>) {
  const { status, headers } = await response;
  const text = await (await response).text();
  expect(text.trimEnd()).not.toContain("\n");
  const { error } = JSON.parse(text);
  expect(error).toEqual({
    code: expect.stringMatching(/^[a-z-]+$/),
    message: expect.stringMatching(/(expected|must) .*\bgot |too long/),
    remedy: expect.any(String),
  });
  return { status, code: error.code, message: error.message as string, headers };
}

describe("/v1/score", () => {
  test("gives the score of one conversation, as score --json does", async () => {
    const response = await post("/v1/score", { messages: answered("Seven.") });
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual(explainedScore(fakeScore(answered("Seven."), 0) as Score));
  });

  test("gives many in their order, with ids, and an error in the place of each that cannot be scored", async () => {
    const conversations = [
      { id: "a", messages: answered("Seven.") },
      answered("fail"),
      [prompt],
      { id: 7, messages: "no" },
      answered("Eight."),
    ];
    const results = await (await post("/v1/score", { conversations })).json();
    expect(results).toEqual([
      { ...explainedScore(fakeScore(answered("Seven."), 0) as Score), id: "a" },
      { index: 1, error: { code: "too-long", message: expect.any(String), remedy: "shorten" } },
      {
        index: 2,
        error: {
          code: "bad-messages",
          message: 'conversations[2]: the last message must come from the assistant, got role "user"',
          remedy: "add the response to score",
        },
      },
      { id: 7, index: 3, error: expect.objectContaining({ code: "bad-messages" }) },
      { ...explainedScore(fakeScore(answered("Eight."), 4) as Score), index: 4 },
    ]);
    expect(await (await post("/v1/score", { conversations: [] })).json()).toEqual([]);
  });

  test("passes trace and steering on, and nothing that was not given", async () => {
    const steering = { scale: { length: 0.5 }, without: ["vowels"] };
    await post("/v1/score", { messages: answered("Seven."), trace: "sentence", steering });
    expect(service.calls.at(-1)).toEqual({ trace: "sentence", steering, signal: expect.any(AbortSignal) });
    await post("/v1/score", { messages: answered("Seven.") });
    expect(service.calls.at(-1)).toEqual({ signal: expect.any(AbortSignal) });
  });

  test("answers one bad conversation with its error", async () => {
    expect(await errorOf(post("/v1/score", { messages: [prompt] }))).toMatchObject({
      status: 422,
      code: "bad-messages",
    });
    expect(await errorOf(post("/v1/score", { messages: answered("fail") }))).toMatchObject({
      status: 422,
      code: "too-long",
    });
  });
});

describe("/v1/compare", () => {
  test("ranks responses to a text or to messages, and splits margins", async () => {
    const texts = ["Seven.", "Seventeen is one."];
    for (const given of [prompt.content, [prompt]]) {
      const result: Comparison = await json(post("/v1/compare", { prompt: given, responses: texts }));
      expect(result).toMatchObject({ prompt: [prompt], texts, ranking: [1, 0] });
      const { margin, contributions, probability } = result.pairs[0]!;
      expect(margin).toBe(result.responses[1]!.score - result.responses[0]!.score);
      expect(contributions.length! + contributions.vowels!).toBe(margin);
      expect(probability).toBeCloseTo(1 / (1 + Math.exp(-2 * margin)), 12);
    }
  });

  test("refuses a single response, a bad prompt, and a response that cannot be scored, by name", async () => {
    expect(await errorOf(post("/v1/compare", { prompt: "a", responses: ["b"] }))).toMatchObject({
      status: 422,
      code: "invalid-request",
    });
    expect(await errorOf(post("/v1/compare", { prompt: [], responses: ["b", "c"] }))).toMatchObject({
      status: 422,
      code: "bad-messages",
    });
    expect(await errorOf(post("/v1/compare", { prompt: "a", responses: ["b", "fail"] }))).toMatchObject({
      code: "too-long",
    });
  });
});

describe("what is wrong with a request is said with status, code, expected and got", () => {
  const cases: [
    name: string,
    request: () => Response | Promise<Response>,
    status: number,
    code: string,
    message: RegExp,
  ][] = [
    [
      "no JSON",
      () => post("/v1/score", "{"),
      400,
      "malformed-json",
      /^body: expected JSON, got something else/,
    ],
    ["nothing", () => post("/v1/score", ""), 400, "malformed-json", /got nothing/],
    [
      "bytes that are no UTF-8",
      () => post("/v1/score", Uint8Array.of(34, 255, 34)),
      400,
      "malformed-json",
      /not UTF-8/,
    ],
    ["no object", () => post("/v1/score", [1]), 422, "invalid-request", /^body: expected object, got array/],
    [
      "an unknown key",
      () => post("/v1/score", { message: 1 }),
      422,
      "invalid-request",
      /expected known keys, got "message"/,
    ],
    [
      "a wrong type",
      () => post("/v1/score", { conversations: "x" }),
      422,
      "invalid-request",
      /^body.conversations: expected array, got string/,
    ],
    [
      "a deep wrong type",
      () => post("/v1/compare", { prompt: "a", responses: ["b", 3] }),
      422,
      "invalid-request",
      /^body.responses\[1\]: expected string, got number/,
    ],
    [
      "both forms",
      () => post("/v1/score", { messages: [], conversations: [] }),
      422,
      "invalid-request",
      /got both/,
    ],
    ["neither form", () => post("/v1/score", {}), 422, "invalid-request", /got neither/],
    [
      "another trace",
      () => post("/v1/score", { messages: [], trace: "word" }),
      422,
      "invalid-request",
      /^body.trace: expected one of/,
    ],
    [
      "another media type",
      () => post("/v1/score", {}, { "content-type": "text/plain" }),
      415,
      "unsupported-media-type",
      /expected application\/json, got text\/plain/,
    ],
    [
      "compressed JSON",
      () => post("/v1/score", {}, { "content-encoding": "gzip" }),
      415,
      "unsupported-media-type",
      /got gzip/,
    ],
    [
      "too many bytes",
      () => post("/v1/score", {}, { "content-length": "9999999999" }),
      413,
      "body-too-large",
      /at most 8388608 bytes, got 9999999999/,
    ],
    [
      "too many items",
      () => post("/v1/score", { conversations: Array(257).fill([]) }),
      413,
      "too-many-items",
      /at most 256, got 257/,
    ],
    [
      "too many messages",
      () => post("/v1/score", { messages: Array(10_000).fill(prompt) }),
      413,
      "too-many-messages",
      /at most 1024 messages, got 10000/,
    ],
    ...(
      [
        ["/classify", { input: 5 }, /^body\.input: expected string or array, got number$/],
        ["/classify", { input: ["a", 5] }, /^body\.input\[1\]: expected string, got number$/],
        ["/classify", { input: [1, -5] }, /^body\.input\[1\]: expected token id, got -5$/],
        ["/classify", { input: [[1], [2.5]] }, /^body\.input\[1\]\[0\]: expected token id, got 2\.5$/],
        [
          "/rerank",
          { query: "a", documents: [5] },
          /^body\.documents\[0\]: expected string or object, got number$/,
        ],
        [
          "/rerank",
          { query: "a", documents: [{ t: 1 }] },
          /^body\.documents\[0\]\.text: expected string, got nothing$/,
        ],
        [
          "/verify",
          { responses_create_params: { input: 5 }, response: { output: [] } },
          /^body\.responses_create_params\.input: expected string or array, got number$/,
        ],
        [
          "/v1/score",
          { messages: [], trace: "word" },
          /^body\.trace: expected one of "token"\|"sentence", got "word"$/,
        ],
      ] as const
    ).map(([path, body, message]): (typeof cases)[number] => [
      `${path} ${JSON.stringify(body)}`,
      () => post(path, body),
      422,
      "invalid-request",
      message,
    ]),
    ["an unknown path", () => app.request("/v2/score"), 404, "unknown-route", /\/v1\/score/],
    ["another method", () => app.request("/v1/score"), 405, "unknown-method", /expected POST, got GET/],
  ];
  test.each(cases)("%s", async (_, request, status, code, message) => {
    const error = await errorOf(request());
    expect(error).toMatchObject({ status, code });
    expect(error.message).toMatch(message);
  });

  test("405 names the methods that are allowed", async () => {
    expect((await errorOf(app.request("/v1/score"))).headers.get("allow")).toBe("POST");
    expect((await errorOf(app.request("/v1/model", { method: "OPTIONS" }))).headers.get("allow")).toBe(
      "GET, HEAD",
    );
  });

  test("faults of the server tell nothing of themselves, and refusals keep their headers", async () => {
    const failing = (error: unknown) =>
      createApp(fakeService({ score: () => Promise.reject(error) })).request("/v1/score", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ messages: answered("x") }),
      });
    const fault = await errorOf(failing(new Error("secret text")));
    expect(fault).toMatchObject({ status: 500, code: "internal" });
    expect(fault.message).not.toContain("secret");
    const unavailable = await errorOf(
      failing(new Unavailable("model-crashed", "model: expected a score, got a crash", 3)),
    );
    expect(unavailable).toMatchObject({ status: 503, code: "model-crashed" });
    expect(unavailable.headers.get("retry-after")).toBe("3");
  });
});

test("/v1/model gives the model, its card and the limits", async () => {
  expect(await (await app.request("/v1/model")).json()).toEqual({ ...service.model, limits: DEFAULT_LIMITS });
});

test("/health is 503 while nothing can compute; /health/live is not", async () => {
  expect(await (await app.request("/health")).json()).toEqual({
    status: "ok",
    workers: 1,
    ready: 1,
    queued: 0,
  });
  const states = [
    [{ ready: 0, draining: false }, "starting"],
    [{ ready: 1, draining: true }, "draining"],
  ] as const;
  for (const [state, status] of states) {
    const other = createApp(fakeService({ health: () => ({ workers: 1, queued: 0, pids: [], ...state }) }));
    const response = await other.request("/health");
    expect([response.status, (await json<{ status: string }>(response)).status]).toEqual([503, status]);
    expect((await other.request("/health/live")).status).toBe(200);
  }
});

test("/openapi.json describes every route, and each reference leads somewhere", async () => {
  const text = await (await app.request("/openapi.json")).text();
  const document = JSON.parse(text);
  expect(Object.keys(document.paths)).toEqual(
    expect.arrayContaining(["/v1/score", "/v1/compare", "/v1/model", "/health", "/metrics"]),
  );
  const references = [...text.matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g)].map((match) => match[1]!);
  expect(references.length).toBeGreaterThan(8);
  for (const name of references) expect(document.components.schemas[name]).toBeTypeOf("object");
});

describe("access", () => {
  const withKeys = createApp(service, { access: keyAccess(["first", "second"]) });
  const call = (path: string, authorization?: string) =>
    withKeys.request(path, { headers: authorization === undefined ? {} : { authorization } });

  test("takes any of the keys and nothing else", async () => {
    for (const sent of ["Bearer first", "bearer second"])
      expect((await call("/v1/model", sent)).status).toBe(200);
    for (const sent of [undefined, "Bearer", "Bearer firs", "Bearer first2", "Basic first", "first"]) {
      const error = await errorOf(call("/v1/model", sent));
      expect(error).toMatchObject({ status: 401, code: "unauthorized" });
      expect(error.headers.get("www-authenticate")).toBe("Bearer");
    }
  });

  test("keys are required where there are some, whoever else may call without", () => {
    const request = new Request("http://10.0.0.1/v1/model", { headers: { host: "10.0.0.1" } });
    const thrown = expect.objectContaining({ status: 401 });
    expect(() => createAccess("0.0.0.0", ["first"], true).check(request, false)).toThrow(thrown);
    expect(() => createAccess("0.0.0.0", [], true).check(request, false)).not.toThrow();
  });

  test("keeps health open, and unknown paths closed", async () => {
    expect((await call("/health")).status).toBe(200);
    expect((await call("/metrics")).status).toBe(401);
    expect((await call("/nothing")).status).toBe(401);
  });

  test("without keys, answers only those who call it by a loopback name", async () => {
    const local = createApp(service, { access: LOOPBACK_ACCESS });
    for (const host of ["localhost:8000", "127.0.0.1:8000", "[::1]:8000", "LOCALHOST", "127.8.9.1"])
      expect((await local.request("/v1/model", { headers: { host } })).status).toBe(200);
    for (const host of [
      "evil.example:8000",
      "127.0.0.1.evil.example",
      "localhost.evil.example",
      "10.0.0.1",
      "",
    ])
      expect(await errorOf(local.request("/health", { headers: { host } }))).toMatchObject({
        status: 403,
        code: "foreign-host",
      });
  });
});

test("request ids are echoed where they are harmless, and made where not", async () => {
  const idOf = async (id: string) =>
    (await app.request("/health", { headers: { "x-request-id": id } })).headers.get("x-request-id");
  expect(await idOf("abc-1.2:3/4")).toBe("abc-1.2:3/4");
  for (const id of ["a b", "x".repeat(200), '{"x":1}', ""]) expect(await idOf(id)).toMatch(/^[0-9a-f-]{36}$/);
});

test("/metrics counts requests by route and status, in cumulative buckets", async () => {
  const own = createApp(fakeService());
  await own.request("/health");
  await own.request("/nothing/secret");
  const response = await own.request("/metrics");
  expect(response.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
  const text = await response.text();
  expect(text).toContain('armorm_http_requests_total{route="/health",status="200"} 1\n');
  expect(text).toContain('armorm_http_requests_total{route="unknown",status="404"} 1\n');
  expect(text).not.toContain("secret");
  expect(text).toContain('armorm_http_request_duration_seconds_bucket{route="/health",le="+Inf"} 1\n');
  expect(text).toContain("# TYPE armorm_queue_conversations gauge\narmorm_queue_conversations");
});

describe("a score that is not finite", () => {
  const send = (path: string, body: object) => {
    const broken = fakeService({
      score: async (conversations) =>
        conversations.map((_, index) => {
          const score = fakeScore(answered("Seven."), index) as Score;
          return index === 1 ? { ...score, contributions: { length: Number.NaN }, score: Number.NaN } : score;
        }),
    });
    return createApp(broken).request(path, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
  };

  test("stands in its own place among many", async () => {
    const conversations = [answered("a"), answered("b"), answered("c")];
    const results: object[] = await json(send("/v1/score", { conversations }));
    expect(results).toEqual([
      expect.objectContaining({ index: 0, score: expect.any(Number) }),
      { index: 1, error: expect.objectContaining({ code: "not-finite" }) },
      expect.objectContaining({ index: 2, score: expect.any(Number) }),
    ]);
  });

  test("fails a comparison as what it is", async () => {
    const compared = send("/v1/compare", { prompt: "a", responses: ["b", "c"] });
    expect(await errorOf(compared)).toMatchObject({ status: 500, code: "not-finite" });
  });
});

test("an item of many with keys that are not known is refused in its place", async () => {
  const conversations = [
    { id: 1, messages: answered("Seven."), trace: "token" },
    { id: 2, messages: answered("Seven.") },
  ];
  const [refused, fine]: object[] = await json(post("/v1/score", { conversations }));
  expect(refused).toEqual({
    id: 1,
    index: 0,
    error: {
      code: "invalid-request",
      message: 'conversations[0]: expected id and messages, got "trace"',
      remedy: "what holds for all conversations, like trace, stands beside conversations",
    },
  });
  expect(fine).toMatchObject({ id: 2, score: expect.any(Number) });
});

test("bodies may be a hundred levels deep, and no deeper", async () => {
  const nested = (depth: number) => "[".repeat(depth) + "]".repeat(depth);
  const withId = (depth: number) =>
    post("/v1/score", `{"conversations":[{"id":${nested(depth)},"messages":[]}]}`);
  expect((await withId(97)).status).toBe(200);
  const rollout = (field: string) =>
    `{"responses_create_params":{"input":"Hi."},"response":{"output":[]},${field}:${nested(100_000)}}`;
  const deep = [withId(98), withId(100_000), post("/verify", rollout('"extra"'))];
  for (const response of deep) {
    expect(await errorOf(response)).toMatchObject({
      status: 422,
      code: "invalid-request",
      message: "body: expected at most 100 levels, got more",
    });
  }
});

test("a key that schemas drop is refused, wherever it stands", async () => {
  for (const body of [
    '{"messages":[],"steering":{"scale":{"__proto__":7}}}',
    '{"messages":[],"__proto__":{}}',
    '{"conversations":[{"id":{"__proto__":1},"messages":[]}]}',
  ])
    expect(await errorOf(post("/v1/score", body))).toMatchObject({
      status: 422,
      code: "invalid-request",
      message: 'body: expected other keys, got "__proto__"',
    });
});

test.each([
  ["missing-tokenizer", 500],
  ["bad-tokenizer", 500],
  ["missing-chat-template", 500],
  ["out-of-memory", 503],
  ["too-many-messages", 413],
  ["remote-unreachable", 502],
  ["template-refused", 422],
])("%s, whosever fault it is, has status %i", async (code, status) => {
  const score = () => Promise.reject(new InputError(code, "x: expected a, got b", "c"));
  const response = createApp(fakeService({ score })).request("/v1/score", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ messages: answered("x") }),
  });
  expect(await errorOf(response)).toMatchObject({ status, code });
});
