// The program of the child process in which an isolated backbone lives (isolated-backbone.ts starts it and speaks with it).

import { answerCalls, type Call } from "../../engine/isolation/callee.ts";
import {
  type Backbone,
  type HiddenStatesRequest,
  type NextTokenLogitsRequest,
  openBackbone,
} from "../backbone.ts";
import type { BackboneTask, OpenedBackbone } from "./isolated-backbone.ts";

let backbone: Backbone | undefined;

answerCalls<BackboneTask>(run);

async function run(task: BackboneTask, call: Call): Promise<OpenedBackbone | undefined> {
  const { items, signal, onProgress, onNote } = call;
  if (task.method === "open") {
    backbone = await openBackbone(task.location, { ...task.options, signal, onNote, onQuantize: onProgress });
    const { hiddenSize, maxTokens, vocabSize, fingerprint, dtype, device } = backbone;
    return { hiddenSize, maxTokens, vocabSize, fingerprint, dtype, device };
  }
  if (!backbone) throw new Error("isolated backbone: the backbone is not open");
  const options = { signal, onProgress };
  const results =
    task.method === "hiddenStates"
      ? await backbone.hiddenStates(items as HiddenStatesRequest[], {
          ...options,
          keepNotFinite: task.keepNotFinite,
        })
      : await backbone.nextTokenLogits(items as NextTokenLogitsRequest[], options);
  await call.sendResults(results);
  return undefined;
}
