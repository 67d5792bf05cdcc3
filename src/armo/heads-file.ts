import { existsSync } from "node:fs";
import { rename, rm, writeFile } from "node:fs/promises";
import { basename, dirname, isAbsolute } from "node:path";
import { explainFullDisk } from "../checkpoint/disk-space.ts";
import { checkpointLicence } from "../checkpoint/licence.ts";
import { localDirectory, storedLocation } from "../checkpoint/location.ts";
import { makeOutputDirectory } from "../embedding/output-directory.ts";
import { InputError } from "../errors.ts";
import { encodeHeads, HEAD_INPUTS, HEAD_OUTPUTS } from "./heads-graph.ts";
import type { ArmoDirectory } from "./model-directory.ts";

/** What a file of heads takes and gives. */
export interface HeadsFile {
  readonly file: string;
  readonly bytes: number;
  readonly hiddenSize: number;
  readonly objectives: number;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
}

/**
 * Writes the heads as one ONNX file, under a temporary name first. Its metadata name the objectives, the backbone, and the
 * backbone's licence where that is known on this machine.
 *
 * @throws {InputError} `output-exists` if the file is there, nothing is overwritten; `disk-full`.
 */
export async function writeHeadsFile(model: ArmoDirectory, file: string): Promise<HeadsFile> {
  if (existsSync(file)) {
    throw new InputError(
      "output-exists",
      `${file}: expected a new file, got one that is there`,
      "choose another name, or delete it",
    );
  }
  const { heads, backbone } = model;
  const location = await storedLocation(backbone.location);
  const directory = await localDirectory(location);
  const licence = directory === null ? null : await checkpointLicence(directory);
  const bytes = encodeHeads(heads, {
    // A path says something on this machine alone.
    backbone: isAbsolute(location) ? basename(location) : location,
    backbone_fingerprint: backbone.fingerprint ?? "",
    backbone_licence: licence ?? "",
  });
  await makeOutputDirectory(dirname(file));
  const temporary = `${file}.${process.pid}.tmp`;
  try {
    await explainFullDisk(dirname(file), "export", () => writeFile(temporary, bytes, { flush: true }));
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  return {
    ...{ file, bytes: bytes.length, hiddenSize: heads.hiddenSize, objectives: heads.objectives.length },
    ...{ inputs: HEAD_INPUTS, outputs: HEAD_OUTPUTS },
  };
}
