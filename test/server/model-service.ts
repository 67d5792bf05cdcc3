import { InputError } from "../../src/errors.ts";
import type { LocalRewardModel } from "../../src/scoring/local-model.ts";
import type { ScoringService } from "../../src/server/service.ts";
import { FAKE_MODEL } from "./fake-service.ts";

/** A service that scores with a model in this process. */
export function modelService(model: LocalRewardModel): ScoringService {
  return {
    model: { ...FAKE_MODEL, model: "golden", objectives: model.objectives, transform: model.transform },
    score: (conversations) =>
      Promise.all(
        conversations.map(async (conversation, index) => {
          try {
            return { ...(await model.score([conversation]))[0]!, index };
          } catch (error) {
            if (error instanceof InputError) return error;
            throw error;
          }
        }),
      ),
    health: () => ({ ready: 1, workers: 1, pids: [], draining: false, queued: 0 }),
  };
}
