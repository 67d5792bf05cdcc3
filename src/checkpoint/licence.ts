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
