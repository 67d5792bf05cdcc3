// Hidden states of one conversation from llama.cpp by way of node-llama-cpp, all positions through all layers.
//
//     node llama-cpp.mjs FOLDER-WITH-NODE-LLAMA-CPP FILE.gguf TOKENS THREADS VOCABULARY
//
// Prints {"version"} when it is ready, then {"seconds"} of one prefill for every line read from standard input.

import { createRequire } from "node:module";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const [folder, modelPath, ...numbers] = process.argv.slice(2);
const [tokens, threads, vocabulary] = numbers.map(Number);
const entry = join(folder, "node_modules/node-llama-cpp/dist/index.js");
const { getLlama } = await import(pathToFileURL(entry).href);
const about = createRequire(import.meta.url)(join(folder, "node_modules/node-llama-cpp/package.json"));

const llama = await getLlama({ gpu: false, build: "never", logLevel: "error", maxThreads: threads });
const model = await llama.loadModel({ modelPath });
// The first and the last token are added by the library.
const size = { contextSize: tokens + 8, batchSize: tokens + 8 };
const context = await model.createEmbeddingContext({ ...size, threads });
console.log(JSON.stringify({ version: `llama.cpp of node-llama-cpp ${about.version}` }));

let round = 0;
for await (const _ of createInterface({ input: process.stdin })) {
  // Another first token each time: nothing that an earlier run computed can be used again.
  round += 1;
  const ids = Array.from({ length: tokens - 2 }, (_, i) => 259 + ((round + i * 37) % (vocabulary - 259)));
  const start = performance.now();
  await context.getEmbeddingFor(ids);
  console.log(JSON.stringify({ seconds: (performance.now() - start) / 1000 }));
}
process.exit(0);
