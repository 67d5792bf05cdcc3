import { fileURLToPath } from "node:url";

/** The name of the backbone that comes with the package: a toy, for trying the pipeline. */
export const EMBEDDED_BACKBONE = "tiny";

/** The directory that a location stands for: a path, or `tiny`. A directory of that name is written `./tiny`. */
export function resolveLocation(location: string): string {
  if (location === EMBEDDED_BACKBONE) return fileURLToPath(new URL("../../models/tiny", import.meta.url));
  return location;
}
