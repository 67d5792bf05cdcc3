/**
 * The caller's files or arguments are wrong and the caller can mend them.
 *
 * `message` is one line, `what: expected, got`; `remedy` says what to do about it. The command line prints both and
 * exits with code 2. Programming mistakes inside a call (wrong shape, out of range) are `TypeError` and `RangeError`.
 */
export class InputError extends Error {
  override readonly name = "InputError";
  /** Stable, kebab-case, for programs: `malformed-json`, `missing-tensor`, … */
  readonly code: string;
  readonly remedy: string;

  constructor(code: string, message: string, remedy: string) {
    super(message);
    this.code = code;
    this.remedy = remedy;
  }
}
