// Numbers as the report prints them. NaN becomes null in JSON; both are shown as a dash.

export type Maybe = number | null | undefined;

export const isNumber = (value: Maybe): value is number =>
  typeof value === "number" && Number.isFinite(value);

/** `0.123`, `−0.123` with a real minus, or `–` where there is no number. */
export function fixed(value: Maybe, digits: number): string {
  if (!isNumber(value)) return "–";
  const text = value.toFixed(digits);
  // What rounds to nothing has no sign.
  return Number(text) === 0 ? text.replace("-", "") : text.replace("-", "−");
}

/** `+0.123` or `−0.123` */
export function signed(value: Maybe, digits: number): string {
  const text = fixed(value, digits);
  return isNumber(value) && value > 0 && Number(text) !== 0 ? `+${text}` : text;
}

/** `63.4 %` */
export const percent = (value: Maybe, digits = 1): string =>
  isNumber(value) ? `${fixed(100 * value, digits)} %` : "–";

/** `12,345` */
export const integer = (value: Maybe): string => (isNumber(value) ? value.toLocaleString("en-US") : "–");

/** `0.0001`, `10,000`: a power of ten or any other number, in full. */
export const plain = (value: Maybe): string =>
  isNumber(value) ? value.toLocaleString("en-US", { maximumSignificantDigits: 6 }) : "–";

/** `+1.2`: a difference of shares in percentage points. */
export const points = (share: Maybe, digits = 1): string =>
  signed(isNumber(share) ? 100 * share : share, digits);

/** `1 pair`, `1,234 pairs` */
export const counted = (value: number, noun: string): string =>
  `${integer(value)} ${noun}${value === 1 ? "" : "s"}`;
