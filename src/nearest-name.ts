/** The known word that is the fewest edits away, if at most a third of its letters change; else null. Case, `-` and `_` do not count. */
export function nearestName(word: string, known: readonly string[]): string | null {
  const plain = (name: string) => name.toLowerCase().replace(/[-_]/g, "");
  const distances = known.map((name) => editDistance(plain(word), plain(name)));
  const least = Math.min(...distances);
  const name = known[distances.indexOf(least)];
  if (name === undefined) return null;
  return least <= Math.max(1, Math.floor(Math.max(name.length, word.length) / 3)) ? name : null;
}

/** Insertions, deletions, replacements and swaps of neighbours that turn one word into the other. */
function editDistance(a: string, b: string): number {
  let [before, last] = [[] as number[], Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      row[j] = Math.min(row[j - 1]! + 1, last[j]! + 1, last[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1));
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (swapped) row[j] = Math.min(row[j]!, before[j - 2]! + 1);
    }
    [before, last] = [last, row];
  }
  return last[b.length]!;
}
