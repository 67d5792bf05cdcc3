import { readFile } from "node:fs/promises";
import { join } from "node:path";

/**
 * The licence that a checkpoint's own card names: `license:` in the front matter of README.md or MODEL_CARD.md, or the first
 * line of a LICENSE file; null where there is none.
 */
export async function checkpointLicence(directory: string): Promise<string | null> {
  const read = (name: string) => readFile(join(directory, name), "utf8").catch(() => "");
  for (const name of ["README.md", "MODEL_CARD.md"]) {
    const matter = /^---\n([\s\S]*?)\n---/.exec(await read(name))?.[1] ?? "";
    const found = /^license:\s*["']?([^"'\n]+?)["']?\s*$/m.exec(matter)?.[1];
    if (found) return found;
  }
  for (const name of ["LICENSE", "LICENSE.txt", "LICENSE.md"]) {
    const line = (await read(name)).split("\n").find((text) => text.trim() !== "");
    if (line) return line.trim().slice(0, 80);
  }
  return null;
}

/** What a licence asks of whoever passes on a model that was made from a backbone. */
export interface LicenceDuties {
  /** Words to show where the model is described. */
  readonly badge: string | null;
  /** What the model's name must begin with. */
  readonly namePrefix: string | null;
  /** The text of the NOTICE file that goes with the weights. */
  readonly notice: string;
}

const LLAMA3 = "Meta Llama 3 is licensed under the Meta Llama 3 Community License";
const RIGHTS = "Copyright © Meta Platforms, Inc. All Rights Reserved.";

/**
 * The duties of licences that have some, by what `checkpointLicence` returns; null for others, which have none known here.
 *
 * Sources: Meta Llama 3 Community License Agreement §1.b.i and iii; Llama 3.1, 3.2 and 3.3 the same sections; Gemma Terms of Use
 * §3.1. They ask for a copy of the agreement too.
 */
export function licenceDuties(licence: string | null): LicenceDuties | null {
  const text = (licence ?? "").toLowerCase();
  const [, release] =
    /^llama\s?-?(3(?:\.\d)?)$/.exec(text) ?? /\bllama (3(?:\.\d)?) community license/.exec(text) ?? [];
  if (release === "3") {
    return { badge: "Built with Meta Llama 3", namePrefix: "Llama 3", notice: `${LLAMA3}, ${RIGHTS}` };
  }
  if (release !== undefined) {
    const notice = `Llama ${release} is licensed under the Llama ${release} Community License, ${RIGHTS}`;
    return { badge: "Built with Llama", namePrefix: "Llama", notice };
  }
  if (text === "gemma" || text.startsWith("gemma terms")) {
    const notice =
      "Gemma is provided under and subject to the Gemma Terms of Use found at ai.google.dev/gemma/terms";
    return { badge: null, namePrefix: null, notice };
  }
  return null;
}
