import type { RefObject } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { TraceUnit } from "../src/reward-model.ts";
import type { ServedModel } from "../src/server/service.ts";
import { CardButtons } from "./card.tsx";
import { type Draft, draftOf, EMPTY_DRAFT, promptOf, whatIsMissing } from "./draft.ts";
import { DraftForm } from "./draft-form.tsx";
import { FileView } from "./file-view.tsx";
import { type Inspected, Inspection } from "./inspection.tsx";
import { KeyForm } from "./key-form.tsx";
import { storedKey, storeKey } from "./key-store.ts";
import { fetchComparison, fetchModel, type ServerFailure } from "./model-server.ts";
import { Problem } from "./problem.tsx";
import { type RunRow, runRows } from "./row-run.ts";
import { type SteeringChoice, steeringOf, UNSTEERED } from "./steering-choice.ts";
import { ThemeButton } from "./theme.tsx";
import { asFailure, useWork } from "./use-work.ts";

type View = "compare" | "file";

/** The whole page and its state: nothing of it is kept anywhere else. */
export function Page() {
  const [key, setKey] = useState<string | null>(storedKey);
  const [model, setModel] = useState<ServedModel | null>(null);
  const [failure, setFailure] = useState<ServerFailure | null>(null);
  const [view, setView] = useState<View>("compare");
  const [draft, setDraft] = useState<Draft>(EMPTY_DRAFT);
  const [missing, setMissing] = useState<string | null>(null);
  const [inspected, setInspected] = useState<Inspected | null>(null);
  const [choice, setChoice] = useState<SteeringChoice>(UNSTEERED);
  const [rows, setRows] = useState<readonly RunRow[]>([]);
  const comparing = useWork(setFailure);
  const ranking = useWork(setFailure);
  const results = useRef<HTMLDivElement>(null);

  const loadModel = async (withKey: string | null) => {
    setFailure(null);
    try {
      const found = await fetchModel({ key: withKey });
      if (withKey !== null) storeKey(withKey);
      document.title = `${shortName(found.model)} · armorm`;
      setModel(found);
    } catch (error) {
      setFailure(asFailure(error));
    }
  };
  useEffect(() => void loadModel(key), []);

  const compare = () => {
    if (comparing.running) return;
    const lacking = whatIsMissing(draft);
    setMissing(lacking);
    if (lacking !== null) return;
    const [prompt, texts] = [promptOf(draft), draft.answers];
    void comparing.perform(async (signal) => {
      const comparison = await fetchComparison(prompt, texts, "sentence", { key, signal });
      setInspected({ prompt, texts, comparison });
      show(results);
    });
  };

  const traceBy = (unit: TraceUnit) => {
    if (inspected === null || comparing.running) return;
    const { prompt, texts } = inspected;
    void comparing.perform(async (signal) => {
      setInspected({ ...inspected, comparison: await fetchComparison(prompt, texts, unit, { key, signal }) });
    });
  };

  const rankRows = (list: readonly RunRow[]) => {
    setRows(list);
    void ranking.perform((signal) =>
      runRows(
        list,
        ({ prompt, responses }) => fetchComparison(prompt, responses, "sentence", { key, signal }),
        (index, outcome) =>
          setRows((now) => now.map((entry, i) => (i === index ? { ...entry, outcome } : entry))),
        signal,
      ),
    );
  };

  const open = (row: Inspected) => {
    // What was asked before would come later, and take the row's place.
    comparing.cancel();
    setDraft(draftOf(row.prompt, row.texts));
    setInspected(row);
    setView("compare");
    show(results);
  };

  const giveKey = (given: string) => {
    setKey(given);
    void loadModel(given);
  };

  return (
    <>
      <Header model={model} />
      <main>
        {failure !== null && (
          <Problem error={failure}>
            {model !== null && (
              <button type="button" class="link-button" onClick={() => setFailure(null)}>
                Hide
              </button>
            )}
            {failure.status !== 401 && model === null && (
              <button type="button" class="link-button" onClick={() => loadModel(key)}>
                Try again
              </button>
            )}
          </Problem>
        )}
        {failure?.status === 401 && <KeyForm onKey={giveKey} />}
        {model === null && failure === null && <p role="status">Asking the server for its model …</p>}
        {model !== null && (
          <>
            <nav class="views" aria-label="Views">
              <ViewButton
                name="Compare answers"
                active={view === "compare"}
                onClick={() => setView("compare")}
              />
              <ViewButton name="Rank a file" active={view === "file"} onClick={() => setView("file")} />
            </nav>
            <div hidden={view !== "compare"}>
              <DraftForm
                draft={draft}
                onChange={setDraft}
                onCompare={compare}
                onCancel={comparing.running ? comparing.cancel : null}
                missing={missing}
              />
              <div ref={results} class="results" tabIndex={-1} aria-busy={comparing.running}>
                {inspected !== null && (
                  <Inspection
                    model={model}
                    inspected={inspected}
                    choice={choice}
                    onChoice={setChoice}
                    onUnit={traceBy}
                    busy={comparing.running}
                  />
                )}
              </div>
            </div>
            <div hidden={view !== "file"}>
              <FileView
                model={model}
                rows={rows}
                steering={steeringOf(choice)}
                running={ranking.running}
                onRows={rankRows}
                onRun={() => rankRows(rows)}
                onCancel={ranking.cancel}
                onOpen={open}
              />
            </div>
          </>
        )}
      </main>
      <footer>Texts go to this server and nowhere else. Sliders compute in this browser.</footer>
    </>
  );
}

function Header({ model }: { readonly model: ServedModel | null }) {
  const facts = model && [
    `${model.objectives.length} objective${model.objectives.length === 1 ? "" : "s"}`,
    model.dtype,
    model.device,
  ];
  return (
    <header class="page-head">
      <div>
        <p class="kind">Reward model</p>
        <h1>{model === null ? "armorm" : shortName(model.model)}</h1>
        {facts && <p class="facts">{facts.filter(Boolean).join(" · ")}</p>}
      </div>
      <div class="adders">
        {model && <CardButtons model={model} />}
        <ThemeButton />
      </div>
    </header>
  );
}

interface ViewButtonProps {
  readonly name: string;
  readonly active: boolean;
  readonly onClick: () => void;
}

const ViewButton = ({ name, active, onClick }: ViewButtonProps) => (
  <button type="button" aria-current={active ? "page" : undefined} onClick={onClick}>
    {name}
  </button>
);

/** The last part of a path; a name on the hub stays whole. */
const shortName = (model: string): string =>
  /^\.{0,2}\/|\\/.test(model) ? (model.split(/[/\\]/).filter(Boolean).at(-1) ?? model) : model;

/** Goes to the results, for eyes and for the keyboard, as soon as they are drawn: before that there is nowhere to scroll to. */
function show(results: RefObject<HTMLElement | null>): void {
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  requestAnimationFrame(() => {
    results.current?.focus({ preventScroll: true });
    results.current?.scrollIntoView({ behavior: calm ? "auto" : "smooth", block: "start" });
  });
}
