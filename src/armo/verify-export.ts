import { createHash } from "node:crypto";
import { describeDecoder } from "../backbone/architectures/families.ts";
import type { Tensor } from "../checkpoint/dtypes.ts";
import { fingerprintBackbone } from "../checkpoint/fingerprint.ts";
import { readTensor } from "../checkpoint/safetensors.ts";
import type { TensorRange } from "../checkpoint/safetensors-header.ts";
import { findTensors } from "../checkpoint/shards.ts";
import { InputError } from "../errors.ts";
import type { ModelConfig } from "../scoring/model-directory.ts";
import type { PublishedTensors } from "./published-tensors.ts";

/**
 * Reads written shards back and compares them with what they were to hold: names, types and shapes of all tensors, with the plan
 * and with the configuration; the heads' bytes; of the backbone's tensors the first, middle and last 4 KiB.
 *
 * @returns The backbone's fingerprint. @throws {InputError} `export-not-verified`; what `describeDecoder` refuses.
 */
export async function verifyExport(
  directory: string,
  config: ModelConfig,
  { tensors, heads }: PublishedTensors,
): Promise<string> {
  const refuse = (expected: string, got: string): never => {
    throw new InputError(
      "export-not-verified",
      `${directory}: expected ${expected} after writing, got ${got}`,
      "the disk, or something else that writes there, has changed it: delete the folder and export again",
    );
  };
  const written = await findTensors(directory);
  for (const name of written.keys()) if (!tensors.has(name)) refuse("the planned tensors alone", name);
  const source = new Map<string, TensorRange>();
  for (const [name, planned] of tensors) {
    const found = written.get(name);
    const wanted = `${name} ${planned.dtype} [${planned.shape.join(", ")}]`;
    if (found === undefined) return refuse(wanted, "none");
    if (found.dtype !== planned.dtype || found.shape.join() !== planned.shape.join()) {
      refuse(wanted, `${found.dtype} [${found.shape.join(", ")}]`);
    }
    if (!("data" in planned)) source.set(name, planned);
  }
  describeDecoder({ config, tensors: written });
  for (const [name, tensor] of heads) {
    if (digest(await readTensor(written.get(name)!)) !== digest(tensor))
      refuse(`the values of ${name}`, "others");
  }
  const fingerprint = await fingerprintBackbone(config, written);
  if (fingerprint !== (await fingerprintBackbone(config, source))) refuse("the backbone's values", "others");
  return fingerprint;
}

const digest = ({ data }: Tensor): string =>
  createHash("sha256")
    .update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
    .digest("hex");
