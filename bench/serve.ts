// Requests to `armorm serve` from 64 clients at once, each waiting for its answer: conversations computed together, as they
// queue, against one at a time.

import { type Claim, claim, median } from "./claim.ts";
import { CLIENTS, type Load, loadServer } from "./serve-load.ts";
import { startServer, trainDemoModel } from "./served-model.ts";
import { temporaryFolder } from "./temporary.ts";

const SECONDS = 8;
const ROUNDS = 3;

export async function measureServe(): Promise<Claim[]> {
  using folder = await temporaryFolder();
  const model = trainDemoModel(folder.path);
  await using together = await startServer(model, []);
  await using apart = await startServer(model, ["--max-batch-tokens", "1"]);
  const rounds: { readonly together: Load; readonly apart: Load }[] = [];
  for (let round = 0; round <= ROUNDS; round++) {
    const measured = {
      together: await loadServer(together.url, SECONDS),
      apart: await loadServer(apart.url, SECONDS),
    };
    if (round > 0) rounds.push(measured); // the first one warms both up
  }
  const of = (side: "together" | "apart", figure: keyof Load) => median(rounds.map((r) => r[side][figure]));
  const rates = (["together", "apart"] as const).map((side) => of(side, "perSecond").toFixed(0));
  const text = `serve, tiny, ${CLIENTS} clients (${rates.join(" against ")} requests/s): batches against one at a time`;
  return [
    claim(
      `${text}, time per request`,
      1000 / of("together", "perSecond"),
      1000 / of("apart", "perSecond"),
      "ms",
      null,
    ),
    claim(`${text}, 99th percentile of the wait`, of("together", "p99"), of("apart", "p99"), "ms", null),
  ];
}
