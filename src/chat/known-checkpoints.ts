/**
 * Whether conversations begin with BOS, for checkpoints whose own files say otherwise than their training did. By hub id.
 *
 * `sfairXC/FsfairX-LLaMA3-RM-v0.1`: its template writes BOS; its model card, and the code that trained ArmoRM on it, take
 * it out of the text.
 */
const TRAINED_BOS: Readonly<Record<string, "on" | "off">> = {
  "sfairXC/FsfairX-LLaMA3-RM-v0.1": "off",
};

/** A snapshot in the cache that Hugging Face's libraries share. */
const SNAPSHOT = /[\\/]models--([^\\/]+?)--([^\\/]+)[\\/]snapshots[\\/][0-9a-f]{40}[\\/]?$/;

/**
 * What a checkpoint was trained with, where that is known better than its files tell; else undefined.
 *
 * @param checkpoint `org/name[@revision]`, or a directory: a snapshot in the hub's cache is known by its path.
 */
export function trainedBos(checkpoint: string): "on" | "off" | undefined {
  const [, organisation, name] = SNAPSHOT.exec(checkpoint) ?? [];
  const id = name === undefined ? checkpoint.replace(/@.*$/, "") : `${organisation}/${name}`;
  return Object.hasOwn(TRAINED_BOS, id) ? TRAINED_BOS[id] : undefined;
}
