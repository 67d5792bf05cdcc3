import { InputError } from "../../errors.ts";

/**
 * Refuses a file name from outside that is not plain and relative: it could leave the folder that it is meant for.
 *
 * @throws {InputError} `unsafe-path` for absolute names, drive letters, backslashes, NUL and other
 *   control characters, empty segments, `.` and `..`.
 */
export function requireSafePath(name: unknown, where: string): string {
  if (
    typeof name === "string" &&
    !/[\\\p{Cc}]|^[A-Za-z]:/u.test(name) &&
    name.split("/").every((segment) => segment !== "" && segment !== "." && segment !== "..")
  ) {
    return name;
  }
  throw new InputError(
    "unsafe-path",
    `${where}: expected plain relative file names, got ${JSON.stringify(name)}`,
    "a repository may only name files of its own: do not use this one",
  );
}
