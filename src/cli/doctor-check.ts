/** What was looked at and what was found. */
export interface Check {
  readonly name: string;
  /** `warning`: armorm runs, but less well than it could. */
  readonly status: "ok" | "warning" | "failed";
  readonly message: string;
  /** What to do about it, or what could be added; a line for each. */
  readonly remedy?: string;
  /** The figures in the message, for programs. */
  readonly figures: Readonly<Record<string, unknown>>;
}

/** `3.4 GiB` */
export const gib = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(1)} GiB`;
