import { useState } from "preact/hooks";
import { InputError } from "../src/errors.ts";
import { counted, fixed, integer } from "../src/report/numbers.ts";
import { lastText } from "../src/report/text.ts";
import type { Comparison, Steering } from "../src/reward-model.ts";
import { Badge } from "./badge.tsx";
import { download, exportObject } from "./export.ts";
import type { Inspected } from "./inspection.tsx";
import { Problem } from "./problem.tsx";
import { readRows } from "./read-rows.ts";
import { type RunRow, startRows } from "./row-run.ts";
import { type SteerableModel, steerComparison } from "./steered.ts";

interface FileViewProps {
  readonly model: SteerableModel;
  readonly rows: readonly RunRow[];
  readonly steering: Steering | null;
  readonly running: boolean;
  readonly onRows: (rows: readonly RunRow[]) => void;
  readonly onRun: () => void;
  readonly onCancel: () => void;
  readonly onOpen: (inspected: Inspected) => void;
}

/** Rows drawn at once; long files come in pages. */
const PAGE = 50;

/** Prompts with answers from a file, ranked one after the other: the best answer of each. */
export function FileView(props: FileViewProps) {
  const { rows, running, steering, model } = props;
  const [problem, setProblem] = useState<{ message: string; remedy: string } | null>(null);
  const [shown, setShown] = useState(PAGE);
  const take = async (files: FileList | null | undefined) => {
    const file = files?.[0];
    if (file === undefined) return;
    let text: string;
    try {
      text = await file.text();
    } catch {
      setProblem({ message: `${file.name} cannot be read`, remedy: "give a file of JSONL, no folder" });
      return;
    }
    const read = readRows(text);
    setProblem(
      read.length > 0
        ? null
        : { message: `${file.name} holds no rows`, remedy: 'give one {"prompt", "responses"} per line' },
    );
    setShown(PAGE);
    props.onRows(startRows(read));
  };
  const done = rows.flatMap(({ row, outcome }) =>
    "prompt" in row && outcome.state === "done"
      ? [
          {
            ...(row.id === null ? {} : { id: row.id }),
            prompt: row.prompt,
            texts: row.responses,
            comparison: outcome.comparison,
          },
        ]
      : [],
  );
  const failed = rows.filter(({ outcome }) => outcome.state === "failed").length;
  const waiting = rows.length - done.length - failed;
  const exportAll = () => {
    const lines = done.map((row) => {
      const comparison = steeredOr(row.comparison, steering, model);
      return `${JSON.stringify(exportObject({ ...row, comparison }, steering))}\n`;
    });
    download("comparisons.jsonl", lines.join(""), "application/x-ndjson");
  };
  return (
    <section class="panel" aria-labelledby="file-title">
      <h2 id="file-title">Best of N, from a file</h2>
      <p class="lead">
        JSONL or a JSON array of <code>{'{"prompt": …, "responses": […]}'}</code>, the prompt as text or
        messages: what <code>armorm compare</code> and <code>armorm rank</code> read. Rows are ranked one
        after the other.
      </p>
      <DropZone onFiles={take} />
      {problem !== null && <Problem error={problem} />}
      {rows.length > 0 && (
        <>
          <div class="run">
            <progress max={rows.length} value={rows.length - waiting} aria-label="Rows done" />
            <p role="status">
              {integer(done.length)} of {integer(rows.length)} rows ranked
              {failed > 0 && `, ${integer(failed)} could not be`}
              {waiting > 0 && `, ${integer(waiting)} to go`}
            </p>
            <div class="adders">
              {running && (
                <button type="button" class="main-button" onClick={props.onCancel}>
                  Stop
                </button>
              )}
              {!running && waiting > 0 && (
                <button type="button" class="main-button" onClick={props.onRun}>
                  {done.length > 0 ? "Go on" : "Rank all"}
                </button>
              )}
              <button type="button" class="quiet-button" disabled={done.length === 0} onClick={exportAll}>
                Export all as JSONL
              </button>
            </div>
          </div>
          <ol class="rows">
            {rows.slice(0, shown).map((row) => (
              <RowItem key={row.row.place} entry={row} {...props} />
            ))}
          </ol>
          {rows.length > shown && (
            <button type="button" class="quiet-button" onClick={() => setShown(shown + PAGE)}>
              Show {Math.min(PAGE, rows.length - shown)} more of {integer(rows.length - shown)}
            </button>
          )}
        </>
      )}
    </section>
  );
}

/** Takes a file by drag and drop or by the browser's chooser. */
function DropZone({ onFiles }: { readonly onFiles: (files: FileList | null | undefined) => void }) {
  const [over, setOver] = useState(false);
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: dropping is a shortcut for the chooser inside
    <div
      class={over ? "drop over" : "drop"}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={(event) => {
        event.preventDefault();
        setOver(false);
        onFiles(event.dataTransfer?.files);
      }}
    >
      <label>
        Drop a file here, or choose one
        <input
          type="file"
          accept=".jsonl,.ndjson,.json"
          onChange={(event) => {
            onFiles(event.currentTarget.files);
            // Choosing the same file again is a change, too.
            event.currentTarget.value = "";
          }}
        />
      </label>
    </div>
  );
}

function RowItem({
  entry: { row, outcome },
  steering,
  model,
  onOpen,
}: { readonly entry: RunRow } & FileViewProps) {
  const name = row.id === null ? row.place : `${row.id}, ${row.place}`;
  if (outcome.state === "failed" || !("prompt" in row)) {
    return (
      <li class="row failed">
        <span class="place">{name}</span>
        <p class="row-error">{outcome.state === "failed" ? outcome.error : ""}</p>
      </li>
    );
  }
  const comparison = outcome.state === "done" ? steeredOr(outcome.comparison, steering, model) : null;
  const best = comparison?.ranking[0];
  const before = outcome.state === "done" ? outcome.comparison.ranking[0] : undefined;
  return (
    <li class="row">
      <span class="place">{name}</span>
      <div>
        <p class="row-prompt">{lastText(row.prompt)}</p>
        {comparison !== null && best !== undefined && (
          <p class="row-answer">
            <Badge index={best} best /> <span class="snippet">{row.responses[best]}</span>
          </p>
        )}
        {best !== before && before !== undefined && (
          <p class="row-change">
            unsteered <Badge index={before} />
          </p>
        )}
      </div>
      {comparison !== null && best !== undefined && outcome.state === "done" ? (
        <div class="row-side">
          <span class="score">{fixed(comparison.responses[best]!.score, 4)}</span>
          <button
            type="button"
            class="quiet-button"
            aria-label={`Look inside ${name}`}
            onClick={() =>
              onOpen({
                ...(row.id === null ? {} : { id: row.id }),
                prompt: row.prompt,
                texts: row.responses,
                comparison: outcome.comparison,
              })
            }
          >
            Look inside
          </button>
        </div>
      ) : (
        <span class="row-side waiting">{counted(row.responses.length, "answer")}</span>
      )}
    </li>
  );
}

/** Steered where that is possible: the sliders' own panel says why it is not. */
function steeredOr(comparison: Comparison, steering: Steering | null, model: SteerableModel): Comparison {
  const steered = steerComparison(comparison, steering, model);
  return steered instanceof InputError ? comparison : steered;
}
