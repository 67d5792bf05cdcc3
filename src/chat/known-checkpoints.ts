/**
 * Whether conversations begin with BOS, for checkpoints whose own files say otherwise than their training did. By hub id.
 *
 * `sfairXC/FsfairX-LLaMA3-RM-v0.1`: its template writes BOS; its model card, and the code that trained ArmoRM on it, take
 * it out of the text.
 */
const TRAINED_BOS: Readonly<Record<string, "on" | "off">> = {
  "sfairXC/FsfairX-LLaMA3-RM-v0.1": "off",
};

/** What a checkpoint was trained with, where that is known better than its files tell; else undefined. */
export function trainedBos(checkpoint: string | undefined): "on" | "off" | undefined {
  if (checkpoint === undefined) return undefined;
  const id = checkpoint.replace(/@.*$/, "");
  return Object.hasOwn(TRAINED_BOS, id) ? TRAINED_BOS[id] : undefined;
}
