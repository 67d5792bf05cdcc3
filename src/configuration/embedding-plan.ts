// What embedding will be done with, known before a backbone is loaded: sets that are there already need none.

import { readFile } from "node:fs/promises";
import type {
  ChatConfiguration,
  DataSource,
  EmbeddingConfiguration,
  SetRole,
} from "../armo/training-configuration.ts";
import { describeDecoder } from "../backbone/architectures/families.ts";
import { chooseArithmetic } from "../backbone/arithmetic.ts";
import { type ChatOptions, openChat } from "../chat/chat.ts";
import { openCheckpoint } from "../checkpoint/checkpoint.ts";
import { locateCheckpoint } from "../checkpoint/location.ts";
import { describeFile } from "../data/describe-file.ts";
import { detectKind } from "../data/kind.ts";
import type { DataLocation } from "../data/location.ts";
import { chatSettingsOf } from "../embedding/embedder.ts";
import { type ChatSettings, type EmbeddingKind, hashOf } from "../embedding/manifest.ts";
import { InputError } from "../errors.ts";

/** A backbone, as far as it can be known without loading it. */
export interface BackbonePlan {
  readonly fingerprint: string;
  readonly chatOptions: ChatOptions;
  readonly chatSettings: ChatSettings;
  /** With the defaults filled in. */
  readonly embedding: Required<Pick<EmbeddingConfiguration, "dtype" | "device" | "maxTokens" | "overlong">>;
}

/** Cost: headers and tokenizer are read, and the device is started. */
export async function planBackbone(
  location: string,
  template: string | null,
  chat: ChatConfiguration = {},
  { dtype, device, maxTokens, overlong = "reject" }: EmbeddingConfiguration = {},
): Promise<BackbonePlan> {
  const chatOptions: ChatOptions = {
    ...(template === null ? {} : { chatTemplate: await readTemplate(template) }),
    ...(chat.gatingPattern === undefined ? {} : { gatingPattern: chat.gatingPattern }),
    ...(chat.bos === undefined ? {} : { bos: chat.bos }),
    ...(chat.compat ? { specialTokens: "compat" as const } : {}),
  };
  const { directory, name } = await locateCheckpoint(location);
  const checkpoint = await openCheckpoint(directory);
  const decoder = describeDecoder(checkpoint);
  const arithmetic = await chooseArithmetic(decoder, {
    ...(dtype === undefined ? {} : { dtype }),
    ...(device === undefined ? {} : { device }),
  });
  const opened = await openChat(directory, { checkpoint: name, ...chatOptions });
  return {
    fingerprint: checkpoint.fingerprint,
    chatOptions,
    chatSettings: chatSettingsOf(opened, chatOptions),
    embedding: {
      dtype: arithmetic.dtype,
      device: arithmetic.device,
      maxTokens: Math.min(maxTokens ?? decoder.maxTokens, decoder.maxTokens),
      overlong,
    },
  };
}

/** Data to embed, and the folder's name that stands for it. */
export interface SetPlan {
  readonly kind: EmbeddingKind;
  readonly sha256: string;
  /** `ratings-helpsteer-0123456789ab`: changed data or options have another name, and the same ones find what is there. */
  readonly name: string;
}

/** Cost: one pass over the bytes of the data. @throws {InputError} `bad-configuration` for a kind that the role cannot use. */
export async function planSet(
  role: SetRole,
  place: string,
  data: DataLocation,
  { kind: asked, objectives, scales, limit }: Omit<DataSource, "data">,
  { fingerprint, chatSettings, embedding }: BackbonePlan,
  partRows: number | undefined,
): Promise<SetPlan> {
  const kind = asked ?? (role === "ratings" || role === "pairs" ? role : await detectKind(data));
  const usable = KINDS[role];
  if (!usable.includes(kind)) {
    throw new InputError(
      "bad-configuration",
      `${place}: expected ${usable.join(" or ")}, got ${kind}`,
      "name other data there, or say what its rows are: kind",
    );
  }
  const { sha256 } = await describeFile(data.path);
  const { device: _device, ...arithmetic } = embedding;
  const { source, prefix, format } = data;
  const hash = hashOf([
    ...[kind, source, prefix, format ?? null, sha256, objectives ?? null, scales ?? null, limit ?? null],
    ...[fingerprint, chatSettings, arithmetic, partRows ?? null],
  ]);
  return { kind, sha256, name: `${kind}-${source.replace(/[^\w.-]+/g, "_")}-${hash.slice(0, 12)}` };
}

const KINDS: Readonly<Record<SetRole, readonly EmbeddingKind[]>> = {
  ratings: ["ratings"],
  pairs: ["pairs"],
  reference: ["ratings", "pairs"],
  evaluation: ["ratings", "pairs", "best-of-n"],
};

async function readTemplate(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch {
    throw new InputError(
      "missing-file",
      `chat.template: expected a readable file, got ${path}`,
      "give the path of a Jinja template",
    );
  }
}
