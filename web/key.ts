/** Why no server can have this key, or null. Headers carry visible ASCII alone: typographic quotes come from copying out of documents. */
export function whatIsWrongWith(key: string): string | null {
  if (key === "") return "There is no key yet: type it, or paste it.";
  const strange = [...key].find((character) => !/[\x21-\x7e]/.test(character));
  if (strange === undefined) return null;
  const code = strange.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0");
  const got = strange.trim() === "" ? `a space (U+${code})` : `${strange} (U+${code})`;
  return `A key has visible ASCII characters alone, this one holds ${got}: copy it from where it was made.`;
}
