// The program of the child process in which an isolated model lives (isolated-model.ts starts it and speaks with it).

import type { Scorable } from "../chat/messages.ts";
import { answerCalls, type Call } from "../engine/isolation/callee.ts";
import type { ScoreOptions } from "../reward-model.ts";
import type { LocalRewardModel } from "../scoring/local-model.ts";
import type { OpenedModel, Ranked, Task } from "./model-messages.ts";
import { openRewardModel } from "./open-reward-model.ts";

let model: LocalRewardModel | undefined;

answerCalls<Task>(run);

async function run(task: Task, call: Call): Promise<OpenedModel | Ranked | undefined> {
  if (task.method === "open") {
    model = await openRewardModel(task.location, {
      ...task.options,
      signal: call.signal,
      onQuantize: call.onProgress,
      onNote: call.onNote,
    });
    const { objectives, marginScale, transform, arithmetic, trainedOn } = model;
    return { objectives, marginScale, transform, arithmetic, knowsPrompts: trainedOn !== null };
  }
  if (!model) throw new Error("isolated model: the model is not open");
  const options: ScoreOptions = { ...task.options, signal: call.signal, onProgress: call.onProgress };
  switch (task.method) {
    case "score":
      await call.sendResults(await model.score(call.items as Scorable[], options));
      return undefined;
    case "scoreTokens":
      await call.sendResults(await model.scoreTokens(call.items as number[][], options));
      return undefined;
    case "compare": {
      const { responses, ...ranked } = await model.compare(task.prompt, call.items as string[], options);
      await call.sendResults(responses);
      return ranked;
    }
  }
}
