// A backbone in a process of its own, so that reading, tokenizing and writing go on here while it computes.

import { openCheckpoint } from "../../checkpoint/checkpoint.ts";
import { locateCheckpoint } from "../../checkpoint/location.ts";
import { parseRemoteLocation } from "../../checkpoint/remote-location.ts";
import { type IsolatedWords, startIsolated } from "../../engine/isolation/caller.ts";
import { InputError } from "../../errors.ts";
import { describeDecoder } from "../architectures/families.ts";
import type { Backbone, BackboneOptions } from "../backbone.ts";
import { parameterCount } from "../decoder.ts";

/** A method of the backbone. Its requests come before, in `items`. */
export type BackboneTask =
  | { readonly method: "open"; readonly location: string; readonly options: PlainBackboneOptions }
  | { readonly method: "hiddenStates"; readonly keepNotFinite: boolean }
  | { readonly method: "nextTokenLogits" };

/** Options without what does not pass between processes. */
export type PlainBackboneOptions = Omit<BackboneOptions, "isolate" | "onQuantize" | "onNote" | "signal">;

/** What `open` is done with. */
export type OpenedBackbone = Pick<
  Backbone,
  "hiddenSize" | "maxTokens" | "vocabSize" | "fingerprint" | "dtype" | "device"
>;

/**
 * `openBackbone` with `isolate: true`: the same backbone, the same bits and the same errors, from a child process.
 *
 * An aborted call rejects at once; the child stops between two runs. The child ends with `close`, or with this process, however
 * that ends. Calls reject once it has died.
 *
 * @throws {InputError} `process-ended` when the child has died; what `openBackbone` refuses.
 *
 * Cost: a start of some 100 ms, the memory of another Node process, and a copy of what goes over: 0.3 s or so for 100 MB.
 */
export async function openIsolatedBackbone(
  location: string,
  { onQuantize: onProgress, onNote, signal, isolate: _isolate, ...options }: BackboneOptions,
): Promise<Backbone> {
  const { name } = await locateCheckpoint(location);
  const remote = startIsolated<BackboneTask>("backbone-process", import.meta.url, WORDS);
  try {
    const task = { method: "open", location: name, options } as const;
    const { value } = await remote.call(task, [], { onProgress, onNote, signal });
    return {
      ...(value as OpenedBackbone),
      async hiddenStates(requests, callOptions) {
        const task = { method: "hiddenStates", keepNotFinite: callOptions?.keepNotFinite ?? false } as const;
        const { results } = await remote.call(task, requests, callOptions);
        return results as Float32Array[];
      },
      async nextTokenLogits(requests, callOptions) {
        const { results } = await remote.call({ method: "nextTokenLogits" }, requests, callOptions);
        return results as Float32Array[];
      },
      close: remote.close,
      [Symbol.asyncDispose]: remote.close,
    };
  } catch (error) {
    await remote.close();
    throw error;
  }
}

const WORDS: IsolatedWords = {
  closed: () => new Error("isolated backbone: the backbone is closed"),
  died: (how) =>
    new InputError(
      "process-ended",
      `isolated backbone: expected the backbone's process at work, got one that ${how}`,
      "start again: embedding goes on behind its finished parts; where memory ran out, use --dtype int8 or a machine with more",
    ),
};

/** Parameters from which a process of its own pays for long jobs: all but toy models have them. */
export const ISOLATION_PARAMETERS = 1e8;

/**
 * Whether a backbone at work on a long job should live in a process of its own: one that computes on this machine and has at least
 * {@link ISOLATION_PARAMETERS}. A smaller one is done with a small job before a process has started.
 *
 * @throws {InputError} What `openBackbone` refuses for its files.
 */
export async function isolationPays(location: string): Promise<boolean> {
  if (parseRemoteLocation(location) !== null) return false;
  return parameterCount(describeDecoder(await openCheckpoint(location))) >= ISOLATION_PARAMETERS;
}
