import type { ComponentChildren } from "preact";

/** What went wrong, in one line, with what to do about it. Announced at once. */
export const Problem = ({
  error,
  children,
}: {
  readonly error: { readonly message: string; readonly remedy?: string };
  readonly children?: ComponentChildren;
}) => (
  <p class="problem" role="alert">
    <strong>{error.message.replace(/[.;:]$/, "")}</strong>
    {error.remedy ? `: ${error.remedy}` : ""}
    {children}
  </p>
);
