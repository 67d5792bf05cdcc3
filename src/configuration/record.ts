// A configuration with a record is trained on what the record describes, or refused.

import { ROLES, type SetRole, type SetsByRole, type TrainingRecord } from "../armo/training-configuration.ts";
import { InputError } from "../errors.ts";
import type { BackbonePlan, SetPlan } from "./embedding-plan.ts";
import type { LocatedSource } from "./locate-sources.ts";

/** @throws {InputError} `different-data` where the backbone, or its chat, is another. */
export function requireRecordedBackbone(record: TrainingRecord, plan: BackbonePlan): void {
  requireSame("backbone", record.backbone.fingerprint, plan.fingerprint);
  requireSame("chat", record.chat.fingerprint, plan.chatSettings.fingerprint);
}

/** Before anything is embedded. @throws {InputError} `different-data` where data has changed, or there is more or less of it. */
export function requireRecordedData(
  record: TrainingRecord,
  planned: readonly { readonly source: LocatedSource; readonly set: SetPlan | null }[],
  statistics: boolean,
): void {
  for (const role of ROLES) {
    // What statistics are of is known once they are open.
    if (role === "ratings" && statistics) continue;
    const here = planned.filter(({ source }) => source.role === role);
    const recorded = record.sets[role];
    if (recorded.length !== here.length) {
      throw different(role, `${recorded.length} sets as in the record`, String(here.length));
    }
    for (const [i, { source, set }] of here.entries()) {
      if (set) requireSame(source.place, recorded[i]!.data[0]?.sha256, set.sha256);
    }
  }
}

/** @throws {InputError} `different-data` where an embedding set is another. */
export function requireRecordedSets(record: TrainingRecord, sets: SetsByRole): void {
  for (const role of ROLES) {
    const [recorded, here] = [record.sets[role].length, sets[role].length];
    if (recorded !== here) throw different(role, `${recorded} sets as in the record`, String(here));
    for (const [i, { manifest }] of sets[role].entries()) {
      requireSame(`${role}[${i}]`, record.sets[role][i]?.run, manifest.run);
    }
  }
}

function requireSame(place: SetRole | string, recorded: string | undefined, found: string): void {
  if (recorded === found) return;
  throw different(place, `${recorded?.slice(0, 12) ?? "none"} as in the record`, found.slice(0, 12));
}

const different = (place: string, expected: string, got: string): InputError =>
  new InputError(
    "different-data",
    `${place}: expected ${expected}, got ${got}`,
    "restore what the model was trained on, or delete the key record to train on what is there",
  );
