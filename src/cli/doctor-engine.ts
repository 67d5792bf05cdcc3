import type { Check } from "./doctor-check.ts";
import { integer } from "./output.ts";

/**
 * A conversation whose token ids and hidden state are known for the embedded backbone, made by another implementation:
 * the first values of the last token's state.
 */
export const KNOWN_ANSWER = {
  messages: [
    { role: "system", content: "Answer briefly." },
    { role: "user", content: "def add(a, b): return a - b\n\nIs this right?" },
    { role: "assistant", content: "No; it subtracts. Write `return a + b`." },
  ],
  ids: [
    4090, 4092, 416, 4093, 286, 32, 2399, 281, 400, 1125, 332, 13, 4094, 4092, 404, 4093, 286, 3242, 695,
    3062, 11, 281, 4035, 734, 257, 367, 281, 286, 3393, 490, 779, 30, 4094, 4092, 415, 4093, 286, 2400, 26,
    353, 2109, 82, 13, 478, 942, 892, 3029, 257, 383, 281, 63, 13, 4094,
  ],
  lastHidden: [-1.355728, -0.171481, -0.40053, -0.706478, -1.055534, 1.287083, 0.134671, -1.871468],
  tolerance: 1e-3,
} as const;

/** ONNX Runtime loads and computes. */
export async function onnxRuntimeCheck(): Promise<Check> {
  const [{ Graph }, op, { openSession }, { RUNTIME_VERSION: version }] = await Promise.all([
    import("../engine/graph.ts"),
    import("../engine/operators.ts"),
    import("../engine/session.ts"),
    import("../engine/runtime.ts"),
  ]);
  const graph = new Graph();
  const x = graph.input("x", "f32", ["B", 2]);
  graph.output("y", op.gemm(x, graph.constant([1, 2, 3, 4], [2, 2], "f32")));
  const session = await openSession(graph, { threads: 1 });
  const { y } = await session.run({ x: { data: Float32Array.of(5, 6), shape: [1, 2] } });
  await session.close();
  const right = y!.data[0] === 23 && y!.data[1] === 34;
  const figures = { version, right };
  if (right) return { name: "onnxruntime", status: "ok", message: `${version}, a graph runs`, figures };
  return {
    name: "onnxruntime",
    status: "failed",
    message: `${version}: a product of [5, 6] and [[1, 2], [3, 4]] came out as [${[...y!.data].join(", ")}]`,
    remedy: "install onnxruntime-node again; its files are damaged or of another platform",
    figures,
  };
}

/** The embedded backbone's tokenizer and chat template give the known ids. */
export async function tokenizerCheck(): Promise<Check> {
  const [{ openChat }, { EMBEDDED_DIRECTORY }] = await Promise.all([
    import("../chat/chat.ts"),
    import("../checkpoint/location.ts"),
  ]);
  const chat = await openChat(EMBEDDED_DIRECTORY);
  const { ids } = chat.encode(KNOWN_ANSWER.messages);
  const right = ids.join() === KNOWN_ANSWER.ids.join();
  return {
    name: "tokenizer",
    status: right ? "ok" : "failed",
    message: `${ids.length} token ids of the embedded backbone are ${right ? "" : "not "}as stored`,
    ...(right ? {} : { remedy: "install armorm again; its files were changed" }),
    figures: { tokens: ids.length, right },
  };
}

const BENCHMARK_SEQUENCES = 16;
const BENCHMARK_TOKENS = 128;

/** The embedded backbone gives the known hidden state, and how fast it is. */
export async function embeddedBackboneCheck(): Promise<Check> {
  const [{ openBackbone }, { EMBEDDED_DIRECTORY }] = await loadBackbone();
  await using backbone = await openBackbone(EMBEDDED_DIRECTORY);
  const { ids, lastHidden, tolerance } = KNOWN_ANSWER;
  const [state] = await backbone.hiddenStates([{ ids, positions: [ids.length - 1] }]);
  const error = Math.max(...lastHidden.map((value, i) => Math.abs(value - state![i]!)));
  // First tokens differ, so that no prefix is shared and every token is computed.
  const requests = Array.from({ length: BENCHMARK_SEQUENCES }, (_, i) => ({
    ids: Array.from({ length: BENCHMARK_TOKENS }, (_, t) => (i + 7 * t) % 4000),
    positions: [BENCHMARK_TOKENS - 1],
  }));
  await backbone.hiddenStates(requests);
  const started = performance.now();
  await backbone.hiddenStates(requests);
  const seconds = (performance.now() - started) / 1000;
  const tokensPerSecond = Math.round((BENCHMARK_SEQUENCES * BENCHMARK_TOKENS) / seconds);
  const right = error <= tolerance;
  return {
    name: "backbone",
    status: right ? "ok" : "failed",
    message: `hidden states of the embedded backbone within ${error.toExponential(1)} of the stored ones; ${integer(tokensPerSecond)} tokens/s`,
    ...(right ? {} : { remedy: "scores made here are not to be trusted; please report this machine" }),
    figures: { error, tolerance, tokensPerSecond, right },
  };
}

// Loaded by a function of its own: tsc does not rewrite import paths inside a function that says `await using`.
const loadBackbone = () =>
  Promise.all([import("../backbone/backbone.ts"), import("../checkpoint/location.ts")]);
