import { letter } from "../src/scoring/explanation.ts";
import { Badge } from "./badge.tsx";
import {
  addAnswer,
  addTurn,
  changeAnswer,
  changeTurn,
  type Draft,
  EXAMPLE_DRAFT,
  MOST_ANSWERS,
  removeAnswer,
  removeTurn,
  whatIsMissing,
} from "./draft.ts";
import { TextField } from "./text-field.tsx";

interface DraftFormProps {
  readonly draft: Draft;
  readonly onChange: (draft: Draft) => void;
  readonly onCompare: () => void;
  /** Set while a comparison runs. */
  readonly onCancel: (() => void) | null;
  /** What kept the last attempt from being compared. */
  readonly missing: string | null;
}

/** The conversation on one side, the answers on the other. Ctrl + Enter compares from anywhere in it. */
export function DraftForm({ draft, onChange, onCompare, onCancel, missing }: DraftFormProps) {
  return (
    <form
      class="panel draft"
      onKeyDown={(event) => {
        if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) onCompare();
      }}
    >
      <fieldset>
        <legend>Conversation</legend>
        <Conversation draft={draft} onChange={onChange} />
      </fieldset>
      <fieldset>
        <legend>Answers</legend>
        <Answers draft={draft} onChange={onChange} />
      </fieldset>
      <div class="actions">
        <button type="button" class="main-button" onClick={onCancel ?? onCompare}>
          {onCancel === null ? "Compare" : "Cancel"}
        </button>
        <button type="button" class="quiet-button" onClick={() => onChange(EXAMPLE_DRAFT)}>
          Fill in an example
        </button>
        {missing !== null && whatIsMissing(draft) !== null && (
          <p class="missing" role="alert">
            {missing}
          </p>
        )}
      </div>
    </form>
  );
}

type PartProps = Pick<DraftFormProps, "draft" | "onChange">;

function Conversation({ draft, onChange }: PartProps) {
  const { system, turns } = draft;
  return (
    <>
      {system !== null && (
        <div class="turn">
          <div class="turn-head">
            <span class="field-name">System</span>
            <RemoveButton what="the system message" onClick={() => onChange({ ...draft, system: null })} />
          </div>
          <TextField
            label="System message"
            hideLabel
            value={system}
            onInput={(content) => onChange({ ...draft, system: content })}
          />
        </div>
      )}
      {turns.map((turn, i) => (
        <div class="turn" key={i}>
          <div class="turn-head">
            <select
              aria-label={`Who speaks in turn ${i + 1}`}
              value={turn.role}
              onChange={(event) => onChange(changeTurn(draft, i, { role: event.currentTarget.value }))}
            >
              {rolesFor(turn.role).map((role) => (
                <option key={role} value={role}>
                  {role[0]!.toUpperCase() + role.slice(1)}
                </option>
              ))}
            </select>
            {turns.length > 1 && (
              <RemoveButton what={`turn ${i + 1}`} onClick={() => onChange(removeTurn(draft, i))} />
            )}
          </div>
          <TextField
            label={`Turn ${i + 1}, ${turn.role}`}
            hideLabel
            value={turn.content}
            placeholder={i === 0 ? "What the user asks" : ""}
            onInput={(content) => onChange(changeTurn(draft, i, { content }))}
          />
        </div>
      ))}
      <div class="adders">
        <button type="button" class="quiet-button" onClick={() => onChange(addTurn(draft))}>
          Add a turn
        </button>
        {system === null && (
          <button type="button" class="quiet-button" onClick={() => onChange({ ...draft, system: "" })}>
            Add a system message
          </button>
        )}
      </div>
    </>
  );
}

function Answers({ draft, onChange }: PartProps) {
  const { answers } = draft;
  return (
    <>
      {answers.map((answer, i) => (
        <div class="turn answer" key={i}>
          <Badge index={i} />
          <TextField
            label={`Answer ${letter(i)}`}
            hideLabel
            value={answer}
            placeholder={`Answer ${letter(i)}`}
            onInput={(text) => onChange(changeAnswer(draft, i, text))}
          />
          {answers.length > 2 && (
            <RemoveButton what={`answer ${letter(i)}`} onClick={() => onChange(removeAnswer(draft, i))} />
          )}
        </div>
      ))}
      <div class="adders">
        <button
          type="button"
          class="quiet-button"
          disabled={answers.length >= MOST_ANSWERS}
          onClick={() => onChange(addAnswer(draft))}
        >
          Add an answer
        </button>
        {answers.length >= MOST_ANSWERS && <small>More than {MOST_ANSWERS} come from a file.</small>}
      </div>
    </>
  );
}

const RemoveButton = ({ what, onClick }: { readonly what: string; readonly onClick: () => void }) => (
  <button
    type="button"
    class="icon-button"
    aria-label={`Remove ${what}`}
    title={`Remove ${what}`}
    onClick={onClick}
  >
    <svg viewBox="0 0 16 16" width="14" height="14" aria-hidden="true">
      <path d="M4 4l8 8M12 4l-8 8" />
    </svg>
  </button>
);

/** The two that people type, and whatever a file brought. */
const rolesFor = (role: string): readonly string[] =>
  role === "user" || role === "assistant" ? ["user", "assistant"] : ["user", "assistant", role];
