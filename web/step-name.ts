// What the steps of an answer are called: some have no text to show, and white space says nothing aloud.

/** A step's text as it is shown. The last step of every run is the end of the turn; tokens may end within a character. */
export function shownText(text: string, isEnd: boolean): string {
  if (isEnd) return "end";
  if (text === "") return "·";
  return isLineBreak(text) ? `↵${text}` : text;
}

/** The same in words. */
export function spokenText(text: string, isEnd: boolean): string {
  if (isEnd) return "end of the turn";
  if (text === "") return "part of a character";
  if (isLineBreak(text)) return "line break";
  return text.trim() === "" ? "space" : text;
}

const isLineBreak = (text: string): boolean => text.trim() === "" && text.includes("\n");
