export interface LengthStatistics {
  readonly mean: number;
  readonly median: number;
  readonly maximum: number;
}

/** Lengths of texts: characters are Unicode code points, words are stretches without white space. */
export interface LengthSummary {
  readonly texts: number;
  readonly characters: LengthStatistics;
  readonly words: LengthStatistics;
}

/** Collects the lengths of texts. */
export class LengthSample {
  readonly #characters: number[] = [];
  readonly #words: number[] = [];

  add(text: string): { characters: number; words: number } {
    let characters = 0;
    for (const _ of text) characters++;
    const words = text.match(/\S+/g)?.length ?? 0;
    this.#characters.push(characters);
    this.#words.push(words);
    return { characters, words };
  }

  summary(): LengthSummary {
    return {
      texts: this.#characters.length,
      characters: statisticsOf(this.#characters),
      words: statisticsOf(this.#words),
    };
  }
}

function statisticsOf(values: readonly number[]): LengthStatistics {
  const sorted = Float64Array.from(values).sort();
  const half = (sorted.length - 1) / 2;
  return {
    mean: sorted.reduce((sum, value) => sum + value, 0) / sorted.length,
    median: (sorted[Math.floor(half)]! + sorted[Math.ceil(half)]!) / 2,
    maximum: sorted.at(-1)!,
  };
}
