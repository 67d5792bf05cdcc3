import { Command } from "commander";
import pc from "picocolors";
import type { VerifyCard } from "../evaluation/verify-card.ts";
import type { Verification, VerifiedValue } from "../evaluation/verify-model.ts";
import { EXIT, interruptSignal } from "./failure.ts";
import { count, fixed, note, print, printJson, shorten, table } from "./output.ts";
import { downloadModel, type ModelFlags, openModel, withOpeningOptions } from "./score.ts";

interface VerifyFlags extends Omit<ModelFlags, "model"> {
  card?: string;
  json?: boolean;
}

export function verifyCommand(): Command {
  const command = new Command("verify")
    .description("run a model's own example and compare what comes out with the values that its card gives")
    .argument(
      "<model>",
      "model directory with a card, or the published ArmoRM, whose card is built in; or org/name on the hub",
    )
    .option("--card <file>", "the card (default: verify.json in the model directory)")
    .option("--json", "print the comparison as JSON");
  return withOpeningOptions(command)
    .action(run)
    .addHelpText(
      "after",
      `
The exit code is 0 if every value is within the card's tolerance, 1 if one is not.

Examples:
  armorm verify armorm-demo/model
  armorm verify ./ArmoRM-Llama3-8B-v0.1 --json`,
    );
}

// Loaded by a function of its own: tsc does not rewrite import paths inside a function that says `await using`.
const loadVerification = () =>
  Promise.all([import("../evaluation/verify-card.ts"), import("../evaluation/verify-model.ts")]);

async function run(given: string, flags: VerifyFlags): Promise<void> {
  const opening = { ...flags, model: given, ...(await downloadModel({ ...flags, model: given })) };
  const location = opening.model;
  const [{ findVerifyCard, readVerifyCard }, { verifyModel }] = await loadVerification();
  const card = flags.card === undefined ? await findVerifyCard(location) : await readVerifyCard(flags.card);
  note(`scoring ${count(card.responses.length, "response")} with ${location}`);
  const signal = interruptSignal();
  await using model = await openModel(opening);
  const verification = await verifyModel(model, card, { signal });
  if (flags.json) printJson(verification);
  else printVerification(verification, card);
  if (!verification.passed) process.exitCode = EXIT.failed;
}

function printVerification(verification: Verification, card: VerifyCard): void {
  const { values, largest, scores, tolerance, dtype, passed } = verification;
  print(`${pc.dim("source")}  ${card.source}`);
  print(`${pc.dim("prompt")}  ${shorten(card.prompt.at(-1)!.content)}`);
  for (const [response, { content, score }] of card.responses.entries()) {
    print();
    print(shorten(content));
    const own = values.filter((value) => value.response === response);
    if (own.length > 0) print(valuesTable(own, card.responses[response]!.humanRatings));
    for (const { card: expected, model, same } of largest.filter((one) => one.response === response)) {
      const verdict = same ? pc.green("the same") : `${pc.red("others")}: ${model.join(", ")}`;
      print(`largest ${count(expected.length, "coefficient")} of the model: ${verdict}`);
    }
    if (score === undefined) print(`score ${fixed(scores[response], 5)}, none on the card`);
  }
  print();
  const outside = values.filter(({ within }) => !within).length;
  const same = largest.every((one) => one.same) ? "" : ", and other coefficients are the largest";
  const within = `${values.length - outside} of ${count(values.length, "value")} within ±${tolerance}${same}`;
  print(`${passed ? pc.green("verified") : pc.red("not verified")}: ${within} (${dtype})`);
  if (card.note !== undefined) print(pc.dim(card.note));
}

function valuesTable(
  values: readonly VerifiedValue[],
  humanRatings: Readonly<Record<string, number>> = {},
): string {
  const rated = Object.keys(humanRatings).length > 0;
  const columns = [
    { title: "item" },
    { title: "card", align: "right" },
    ...(rated ? [{ title: "people", align: "right" } as const] : []),
    { title: "this model", align: "right" },
    { title: "difference", align: "right" },
    { title: "verdict" },
  ] as const;
  const people = ({ kind, objective }: VerifiedValue) =>
    kind === "rating" && humanRatings[objective!] !== undefined ? String(humanRatings[objective!]) : "";
  const rows = values.map((value) => [
    [value.kind, value.objective].filter((part) => part !== null).join(" "),
    fixed(value.card, 5),
    ...(rated ? [people(value)] : []),
    fixed(value.model, 5),
    `${value.difference < 0 ? "" : "+"}${fixed(value.difference, 5)}`,
    value.within ? pc.green("within") : pc.red("outside"),
  ]);
  return table(columns, rows);
}
