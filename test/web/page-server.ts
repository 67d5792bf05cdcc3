import { serve } from "@hono/node-server";
import { InputError } from "../../src/errors.ts";
import { openRewardModel } from "../../src/index.ts";
import type { RewardModel } from "../../src/reward-model.ts";
import { keyAccess, OPEN_ACCESS } from "../../src/server/access.ts";
import { createApp } from "../../src/server/app.ts";
import type { ScoringService, ServedModel } from "../../src/server/service.ts";

export interface PageServer extends AsyncDisposable {
  readonly url: string;
  readonly model: RewardModel;
}

const CARD = "# A model\n\nIt knows **nothing** of <b>code</b>.\n\n## Limits\n\n- Too small to judge.\n";

/** The server's routes over a model of this process, on a free port: the page with the API behind it, which asks for the key if there is one. */
export async function openPageServer(directory: string, key?: string): Promise<PageServer> {
  const model = await openRewardModel(directory);
  const served: ServedModel = {
    model: directory,
    kind: "armorm",
    objectives: model.objectives,
    marginScale: model.marginScale,
    transform: model.transform,
    dtype: "f32",
    device: "cpu",
    maxTokens: 4096,
    card: CARD,
  };
  const service: ScoringService = {
    model: served,
    async score(conversations, options) {
      // One by one, so that what is wrong with one stays its own.
      return Promise.all(
        conversations.map((conversation, index) =>
          model.score([conversation], options).then(
            ([score]) => ({ ...score!, index }),
            (error: unknown) => {
              if (error instanceof InputError) return error;
              throw error;
            },
          ),
        ),
      );
    },
    health: () => ({ ready: 1, workers: 1, pids: [], draining: false, queued: 0 }),
  };
  const app = createApp(service, { access: key === undefined ? OPEN_ACCESS : keyAccess([key]) });
  const { server, port } = await new Promise<{ server: ReturnType<typeof serve>; port: number }>(
    (resolve) => {
      const server = serve({ fetch: app.fetch, port: 0, hostname: "127.0.0.1" }, (info) =>
        resolve({ server, port: info.port }),
      );
    },
  );
  return {
    url: `http://127.0.0.1:${port}/`,
    model,
    async [Symbol.asyncDispose]() {
      await new Promise((resolve) => server.close(resolve));
      await model.close();
    },
  };
}
