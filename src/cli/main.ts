#!/usr/bin/env node
import { CommanderError } from "commander";
import { endWithClosedPipe, fail } from "./failure.ts";
import { createProgram } from "./program.ts";

endWithClosedPipe();
try {
  await createProgram().parseAsync();
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2;
  else fail(error);
}
