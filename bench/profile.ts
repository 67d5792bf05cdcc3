// Where the time of a prefill goes, by operator, from ONNX Runtime's own profile: what explains a ratio below its bar.
// One line per packing: packed tokens, paths × slots, milliseconds in all, then of each operator, and the speed of the
// matrix products.
//
//     npx tsx bench/profile.ts f32|int8 [LAYERS]

import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { openBackbone } from "../src/backbone/backbone.ts";
import { ort } from "../src/engine/runtime.ts";
import { median } from "./claim.ts";
import { SHAPES, writeRandomCheckpoint } from "./random-checkpoint.ts";
import { randomIds } from "./random-ids.ts";
import { temporaryFolder } from "./temporary.ts";

const [VOCABULARY, ROUNDS] = [1024, 5];
const [dtype = "int8", layers = "2"] = process.argv.slice(2);
const SHAPE = { ...SHAPES["llama-3.2-1b"], layers: Number(layers) };

/** Conversations of one run: how many, the prompt they share, and what each has of its own. */
const PACKINGS = [
  { count: 1, shared: 0, own: 512 },
  { count: 1, shared: 0, own: 320 },
  { count: 2, shared: 256, own: 64 },
  { count: 16, shared: 256, own: 64 },
  { count: 32, shared: 0, own: 64 },
  { count: 8, shared: 0, own: 256 },
  { count: 2, shared: 0, own: 1024 },
  { count: 1, shared: 0, own: 2048 },
];

using folder = await temporaryFolder();
process.env.ARMORM_CACHE = join(folder.path, "cache");
const smaller = { layers: SHAPE.layers, vocabulary: VOCABULARY, dtype: "F32" } as const;
await writeRandomCheckpoint(folder.path, "llama-3.2-1b", smaller);

interface Event {
  readonly cat: string;
  readonly name: string;
  readonly dur: number;
  readonly args?: { readonly op_name?: string };
}

const calls = PACKINGS.map(({ count, shared, own }) => {
  const prompt = randomIds(shared, VOCABULARY);
  return Array.from({ length: count }, (_, i) => ({
    ids: [...prompt, i, ...randomIds(own - 1, VOCABULARY, i + 2)],
  }));
});
// In turn, so that a busy minute of the machine slows all of them.
const runs = await profiled(async () => {
  await using backbone = await openBackbone(folder.path, { dtype: dtype as "f32" | "int8" });
  for (let round = 0; round <= ROUNDS; round++) {
    for (const requests of calls) await backbone.hiddenStates(requests);
  }
});
PACKINGS.forEach(({ count, shared, own }, i) => {
  const ofPacking = runs.filter((_, run) => run >= PACKINGS.length && run % PACKINGS.length === i);
  report(shared + count * own, `${count} × ${shared + own}`, ofPacking);
});

/** Milliseconds by operator of each run of the session that the work opens. */
async function profiled(work: () => Promise<void>): Promise<Map<string, number>[]> {
  const { create } = ort.InferenceSession;
  ort.InferenceSession.create = (async (graph: Uint8Array, options: object) => {
    const session = await create.call(ort.InferenceSession, graph, {
      ...options,
      enableProfiling: true,
      profileFilePrefix: join(folder.path, "profile"),
    });
    const release = session.release.bind(session);
    session.release = async () => {
      session.endProfiling();
      await release();
    };
    return session;
  }) as typeof create;
  await work();
  ort.InferenceSession.create = create;
  const name = (await readdir(folder.path)).find((file) => /^profile.*\.json$/.test(file))!;
  return runsOf(JSON.parse(await readFile(join(folder.path, name), "utf8")) as Event[]);
}

/** An event of a run comes after those of its operators. */
function runsOf(events: readonly Event[]): Map<string, number>[] {
  const runs: Map<string, number>[] = [];
  let current = new Map<string, number>();
  for (const { cat, name, dur, args } of events) {
    if (cat === "Node" && name.endsWith("_kernel_time")) {
      const operator = args?.op_name ?? "other";
      current.set(operator, (current.get(operator) ?? 0) + dur / 1000);
    } else if (name === "model_run") {
      runs.push(current);
      current = new Map();
    }
  }
  return runs;
}

function report(tokens: number, paths: string, runs: readonly Map<string, number>[]): void {
  const operators = [...new Set(runs.flatMap((run) => [...run.keys()]))];
  const times = operators
    .map((operator) => ({ operator, ms: median(runs.map((run) => run.get(operator) ?? 0)) }))
    .sort((a, b) => b.ms - a.ms);
  const total = times.reduce((sum, { ms }) => sum + ms, 0);
  const products = times.filter(({ operator }) => /MatMul|Gemm/.test(operator));
  const productMs = products.reduce((sum, { ms }) => sum + ms, 0);
  const { hidden, intermediate, heads, keyValueHeads, headSize } = SHAPE;
  const weights = hidden * headSize * (2 * heads + 2 * keyValueHeads) + 3 * hidden * intermediate;
  const gflops = (2 * weights * SHAPE.layers * tokens) / productMs / 1e6;
  const shares = times.slice(0, 8).map(({ operator, ms }) => `${operator} ${ms.toFixed(1)}`);
  console.log(
    `${dtype} T=${tokens} paths ${paths}: ${total.toFixed(0)} ms, products ${gflops.toFixed(0)} GFLOP/s`,
  );
  console.log(`  ${shares.join(", ")}`);
}
