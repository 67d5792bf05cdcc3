// Names of repositories on the hub: org/name, or org/name@revision.

/** A repository on the hub, at a branch, tag, pull request or commit. */
export interface HubId {
  /** What it holds. Default: a model. */
  readonly kind?: "dataset";
  /** `org/name` */
  readonly id: string;
  readonly revision: string;
}

/** The branch that every repository of the hub has. */
export const DEFAULT_REVISION = "main";

const PART = "[A-Za-z0-9](?:[\\w.-]*[A-Za-z0-9_])?";
const HUB_ID = new RegExp(`^(${PART}/${PART})(?:@(.+))?$`);
const LONGEST_ID = 96;
// What git allows in the name of a branch or tag, and a file name on every platform.
const REVISION = /^(?![/.-])(?!.*(?:\.\.|\/\/|\/\.|@\{|\.lock(?:\/|$)|[/.]$))[^\p{C}\p{Z}~^:?*[\]\\"<>|]+$/u;
const COMMIT = /^[0-9a-f]{40}$/;

/**
 * Reads `org/name` or `org/name@revision`; null where the text is no such name.
 *
 * Names follow the hub's own rules (`validate_repo_id` of huggingface_hub): letters, digits, `_`, `-` and `.`, no `--` and no
 * `..`, no `.git` at the end, at most 96 characters. Old names without an organisation are not accepted.
 */
export function parseHubId(text: string): HubId | null {
  const [, id, revision = DEFAULT_REVISION] = HUB_ID.exec(text) ?? [];
  if (id === undefined || id.length > LONGEST_ID || /--|\.\.|\.git$/.test(id)) return null;
  return REVISION.test(revision) ? { id, revision } : null;
}

/** `org/name@revision` */
export const formatHubId = ({ id, revision }: HubId): string => `${id}@${revision}`;

/** Whether a revision is a full commit hash, which never moves. */
export const isCommit = (revision: string): boolean => COMMIT.test(revision);

/** Where its page is, below the endpoint. */
export const pagePath = ({ id, kind }: Pick<HubId, "id" | "kind">): string =>
  kind === "dataset" ? `datasets/${id}` : id;
