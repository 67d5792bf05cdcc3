// A change to anything below is a decision: it belongs into the changelog.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createProgram, everyCommand } from "../src/cli/program.ts";

test("runtime dependencies", () => {
  const { dependencies } = JSON.parse(readFileSync(join(import.meta.dirname, "../package.json"), "utf8"));
  expect(dependencies).toMatchInlineSnapshot(`
    {
      "@hono/node-server": "2.1.9",
      "@huggingface/jinja": "0.5.11",
      "@huggingface/tokenizers": "0.2.0",
      "cli-progress": "3.12.0",
      "commander": "14.0.3",
      "csv-parse": "7.0.3",
      "hono": "4.13.19",
      "hyparquet": "1.31.5",
      "hyparquet-compressors": "1.1.2",
      "onnxruntime-node": "1.30.0",
      "pbf": "5.1.2",
      "picocolors": "1.1.1",
      "pino": "10.4.0",
      "undici": "7.30.2",
      "yaml": "2.9.1",
      "zod": "4.6.7",
    }
  `);
});

test("exports of the library", async () => {
  expect(Object.keys(await import("../src/index.ts")).sort()).toMatchInlineSnapshot(`
    [
      "EmbeddingSet",
      "InputError",
      "collectBestOfN",
      "collectPairs",
      "compareModels",
      "compareScores",
      "createVerifyCard",
      "embed",
      "encodeHeads",
      "encodeWithin",
      "evaluateBestOfN",
      "evaluatePairs",
      "evaluateRewardBench",
      "evaluateRewardBench2",
      "exportCheckpoint",
      "exportEmbeddings",
      "extractFinalAnswer",
      "finalAnswersOf",
      "findVerifyCard",
      "fitRewardTransform",
      "fitRidge",
      "importEmbeddings",
      "mergeShards",
      "normalizeAnswer",
      "openBackbone",
      "openChat",
      "openCheckpoint",
      "openEmbedder",
      "openEmbeddingSet",
      "openModelDirectory",
      "openRewardModel",
      "parseConfiguration",
      "parseDataLocation",
      "parseScale",
      "promptHash",
      "pull",
      "pullDataset",
      "rankScores",
      "readBestOfN",
      "readConfiguration",
      "readPairs",
      "readRatings",
      "readSafetensors",
      "readVerifyCard",
      "remedyFor",
      "renderReport",
      "reportBestOfN",
      "reportPairs",
      "reportRewardBench",
      "reportRewardBench2",
      "rewardBench",
      "rewardBench2",
      "runGate",
      "scoreBestOfN",
      "scoreBestOfNSets",
      "scoreEmbedding",
      "scorePairSets",
      "scorePairs",
      "spearman",
      "toFloat32",
      "toFloat64",
      "toScore",
      "trainArmo",
      "trainFromConfiguration",
      "trainGating",
      "trainModel",
      "validateConversation",
      "validateMessages",
      "verifyModel",
      "writeSafetensors",
      "writeVerifyCard",
    ]
  `);
});

test("options of the command line", () => {
  const flags = everyCommand(createProgram()).map((command) => {
    const names = command.options.map((option) => option.long).filter((name) => name !== "--debug");
    return `${command.name()}: ${names.join(" ")}`.trim();
  });
  expect(flags).toMatchInlineSnapshot(`
    [
      "armorm: --version",
      "demo: --out --seed",
      "pull: --dataset --json",
      "embed: --backbone --data --out --kind --objectives --part-rows --max-tokens --overlong --limit --strict --shard --json --format --scale --chat-template --gating-pattern --bos --compat --dtype --device --threads",
      "merge: --json",
      "launch:",
      "slurm: --shards --partition --time --cpus --mem --sbatch --attempts --folder --resume --attempt --dry-run",
      "kubernetes: --shards --image --claim --mount --name --cpus --memory --parallelism --retries",
      "train: --config --ratings --pairs --out --reference --evaluation --drop-overlaps --objectives --debias --debias-method --debias-correlation --alphas --folds --intercept --refit --memory --validation-fraction --test-fraction --seed --seed-sensitivity --preset --steps --batch-size --hidden-dim --learning-rate --weight-decay --dropout --label-smoothing --target-margins --balance --patience --checkpoint --overwrite --json",
      "score: --embeddings --explain-tokens --limit --out --strict --json --model --backbone --chat-template --gating-pattern --bos --compat --dtype --device --threads",
      "compare: --limit --out --strict --json --model --backbone --chat-template --gating-pattern --bos --compat --dtype --device --threads",
      "rank: --write --min-margin --limit --out --strict --json --model --backbone --chat-template --gating-pattern --bos --compat --dtype --device --threads",
      "evaluate:",
      "pairs: --drop-overlaps --by --model --data --embeddings --limit --out --json --format --backbone --chat-template --gating-pattern --bos --compat --dtype --device --threads",
      "rewardbench: --reference-counts --accuracies --model --data --embeddings --limit --out --json --format --backbone --chat-template --gating-pattern --bos --compat --dtype --device --threads",
      "rewardbench2: --model --data --embeddings --limit --out --json --backbone --chat-template --gating-pattern --bos --compat --dtype --device --threads",
      "best-of-n: --drop-overlaps --model --data --embeddings --limit --out --json --backbone --chat-template --gating-pattern --bos --compat --dtype --device --threads",
      "verify: --card --json --backbone --chat-template --gating-pattern --bos --compat --dtype --device --threads",
      "report: --evaluation --comparisons --out",
      "export: --model --merge --onnx --embeddings --out --backbone --shard-size --heads-dtype --json",
      "import: --backbone --out --objectives --chat-template --gating-pattern --bos --compat --json",
      "inspect: --quantization --chat-template --against --json",
      "data:",
      "describe: --data --objectives --json --format --scale",
      "binarize: --data --out --objectives --lower-is-better --min-margin --pairs --overwrite --strict --json --format --scale",
      "group: --data --out --overwrite --strict --json",
      "split: --data --out --fractions --seed --overwrite --strict --json --format",
      "overlap: --data --against --write --overwrite --strict --json --format",
      "cache:",
      "list: --json",
      "clear: --json",
      "doctor: --json",
      "completion:",
    ]
  `);
});
