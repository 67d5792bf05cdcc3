import { Command } from "commander";
import pc from "picocolors";
import type { Check } from "./doctor-check.ts";
import { EXIT } from "./failure.ts";
import { print, printJson } from "./output.ts";

interface DoctorFlags {
  json?: boolean;
}

export function doctorCommand(): Command {
  return new Command("doctor")
    .description("say what this machine can run, and what is missing; exit code 1 if anything fails")
    .option("--json", "print the checks as JSON")
    .action(run)
    .addHelpText(
      "after",
      `
Examples:
  armorm doctor
  armorm doctor --json | jq '.checks[] | select(.status != "ok")'`,
    );
}

async function run(flags: DoctorFlags): Promise<void> {
  const { CHECKS } = await import("./doctor-checks.ts");
  const results: Check[] = [];
  for (const check of CHECKS) {
    const result = await check();
    results.push(result);
    if (!flags.json) printCheck(result);
  }
  const failed = results.filter(({ status }) => status === "failed").length;
  if (flags.json) printJson({ ok: failed === 0, checks: results });
  else print(failed === 0 ? "armorm runs here" : pc.red(`${failed} of ${results.length} checks failed`));
  if (failed > 0) process.exitCode = EXIT.failed;
}

const MARKS = { ok: pc.green("ok  "), warning: pc.yellow("note"), failed: pc.red("FAIL") } as const;

function printCheck({ name, status, message, remedy }: Check): void {
  print(`${MARKS[status]}  ${name.padEnd(12)}  ${message}`);
  for (const line of remedy?.split("\n") ?? []) print(`${" ".repeat(20)}${line}`);
}
