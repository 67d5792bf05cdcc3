// A run of gate training at the paper's size, on pairs whose best gate is known; its time, and how close it comes.
//
//     npx tsx bench/gating-run.ts [steps]        default 10,000 steps of 1,024 pairs; one object of JSON at the end
//
// Prompt embeddings (1 GiB) are written to a temporary folder and read from there row by row, as for large data sets.
//
//   N pairs    H hidden size    K objectives    Z what a prompt is about

import { join } from "node:path";
import { trainGating } from "../src/armo/gating-training.ts";
import { readSafetensorsHeader, type TensorRange, writeSafetensors } from "../src/checkpoint/safetensors.ts";
import { openPromptRows } from "../src/embedding/prompt-rows.ts";
import { createRandom } from "../src/random.ts";
import { temporaryFolder } from "./temporary.ts";

const [N, H, K, Z] = [65_536, 4096, 19, 8];
const PART_ROWS = 8192;
const VALIDATION = 4096; // The last ones.
const steps = Number(process.argv[2] ?? 10_000);
if (!(Number.isInteger(steps) && steps >= 1)) {
  console.error(`gating-run: expected a number of steps, got ${process.argv[2]}`);
  process.exit(2);
}

const random = createRandom(1);
const normals = (length: number) => Float32Array.from({ length }, () => random.normal());
const topics = normals(N * Z);
const [spread, mixing] = [normals(Z * H), normals(Z * K)];
// Rewards as the published model's are, within some tenths of each other, so that β = 100 has something to weigh.
const chosen = normals(N * K).map((reward) => 0.1 * reward);
const rejected = normals(N * K).map((reward) => 0.1 * reward);
const noise = normals(64 * H);

/** g* = softmax(topic · mixing), the gate that decided the preferences. */
function trueGate(n: number): Float64Array {
  const logits = Float64Array.from({ length: K }, (_, k) => {
    let sum = 0;
    for (let z = 0; z < Z; z++) sum += topics[n * Z + z]! * mixing[z * K + k]!;
    return Math.exp(sum);
  });
  const total = logits.reduce((sum, weight) => sum + weight, 0);
  return logits.map((weight) => weight / total);
}

function margin(n: number, gate: (k: number) => number): number {
  let sum = 0;
  for (let k = 0; k < K; k++) sum += gate(k) * (chosen[n * K + k]! - rejected[n * K + k]!);
  return sum;
}

// P(chosen ≻ rejected) = σ(100 · margin under g*); pairs that came out the other way round are turned.
const right = { truth: 0, "no gate": 0 };
for (let n = 0; n < N; n++) {
  const gate = trueGate(n);
  if (100 * margin(n, (k) => gate[k]!) + random.logistic() < 0) {
    for (let k = n * K; k < (n + 1) * K; k++) [chosen[k], rejected[k]] = [rejected[k]!, chosen[k]!];
  }
  if (n < N - VALIDATION) continue;
  if (margin(n, (k) => gate[k]!) > 0) right.truth++;
  if (margin(n, () => 1) > 0) right["no gate"]++;
}

/** One part of prompt embeddings: what a prompt is about, spread over H numbers, and noise. */
function drawPrompts(first: number): Float32Array {
  const data = new Float32Array(PART_ROWS * H);
  for (let i = 0; i < PART_ROWS; i++) {
    const from = random.integer(0, 63) * H;
    for (let h = 0; h < H; h++) {
      let sum = noise[from + ((h + i) % H)]!;
      for (let z = 0; z < Z; z++) sum += topics[(first + i) * Z + z]! * spread[z * H + h]!;
      data[i * H + h] = sum;
    }
  }
  return data;
}

using folder = await temporaryFolder();
const ranges: TensorRange[] = [];
for (let first = 0; first < N; first += PART_ROWS) {
  const path = join(folder.path, `${first}.safetensors`);
  const data = drawPrompts(first);
  await writeSafetensors(path, { prompt_embeddings: { dtype: "F32", shape: [PART_ROWS, H], data } });
  ranges.push((await readSafetensorsHeader(path)).tensors.get("prompt_embeddings")!);
}
await using prompts = await openPromptRows([{ ranges: async () => ranges }], { memoryBytes: 0 });

const rows = Array.from({ length: N }, (_, n) => n);
const started = performance.now();
let said = started;
const { marginScale, history } = await trainGating(
  { promptEmbeddings: prompts, chosen, rejected },
  {
    ...{ hiddenSize: H, numObjectives: K, preset: "paper", steps, evaluateEvery: 500 },
    split: { train: rows.slice(0, N - VALIDATION), validation: rows.slice(N - VALIDATION) },
    onProgress: (done) => {
      if (performance.now() - said < 10_000) return;
      said = performance.now();
      console.error(`${done} of ${steps} steps, ${((said - started) / done).toFixed(0)} ms each`);
    },
  },
);
const seconds = (performance.now() - started) / 1000;
const share = (count: number) => Number((count / VALIDATION).toFixed(4));
console.log(
  JSON.stringify({
    ...{
      steps,
      seconds: Number(seconds.toFixed(1)),
      msPerStep: Number(((1000 * seconds) / steps).toFixed(1)),
    },
    accuracy: {
      "no gate": share(right["no gate"]),
      "trained gate": history.validationAccuracy,
      "true gate": share(right.truth),
    },
    marginScale,
    peakMemoryMiB: Math.round(process.resourceUsage().maxRSS / 1024),
    evaluations: history.evaluations,
  }),
);
