import type { ComponentChildren } from "preact";
import { useRef } from "preact/hooks";
import type { ServedModel } from "../src/server/service.ts";
import { type Block, parseBlocks, parseSpans, type Span, sectionOf } from "./markdown.ts";
import { Scroll } from "./scroll.tsx";

/** Two buttons: the model's card, and what it cannot judge. */
export function CardButtons({ model }: { readonly model: ServedModel }) {
  const blocks = model.card == null ? [] : parseBlocks(model.card);
  const limits = sectionOf(blocks, /limit|bias|risk|out-of-scope/i);
  return (
    <>
      <DialogButton label="What it cannot judge">
        <ul>
          <li>Whether an answer is true: it has read nothing but the conversation, and looks nothing up.</li>
          <li>
            How good an answer is on its own: scores compare answers to one prompt, not prompts with each
            other.
          </li>
          <li>
            What its raters did not rate: an objective is what people said about other conversations, not a
            measurement.
          </li>
          <li>
            Text unlike what it was trained on: other languages, code, very long answers, unless its card says
            otherwise.
          </li>
        </ul>
        {limits.length > 0 && (
          <>
            <h3>From its card</h3>
            <Blocks blocks={limits} />
          </>
        )}
      </DialogButton>
      {blocks.length > 0 && (
        <DialogButton label="Model card">
          <Blocks blocks={blocks} />
        </DialogButton>
      )}
    </>
  );
}

function DialogButton({ label, children }: { readonly label: string; readonly children: ComponentChildren }) {
  const dialog = useRef<HTMLDialogElement>(null);
  return (
    <>
      <button
        type="button"
        class="quiet-button"
        aria-haspopup="dialog"
        onClick={() => dialog.current!.showModal()}
      >
        {label}
      </button>
      <dialog ref={dialog} aria-label={label}>
        <header class="panel-head">
          <h2>{label}</h2>
          <button type="button" class="quiet-button" onClick={() => dialog.current!.close()}>
            Close
          </button>
        </header>
        <div class="prose">{children}</div>
      </dialog>
    </>
  );
}

/** Markdown as elements; text in it stays text. */
const Blocks = ({ blocks }: { readonly blocks: readonly Block[] }) => (
  <>
    {blocks.map((block, i) => (
      <BlockElement key={i} block={block} />
    ))}
  </>
);

function BlockElement({ block }: { readonly block: Block }) {
  switch (block.kind) {
    case "heading": {
      const Heading = (["h3", "h3", "h4", "h5", "h6", "h6"] as const)[block.level - 1]!;
      return (
        <Heading>
          <Inline text={block.text} />
        </Heading>
      );
    }
    case "paragraph":
      return (
        <p>
          <Inline text={block.text} />
        </p>
      );
    case "code":
      return <pre>{block.text}</pre>;
    case "list": {
      const List = block.ordered ? "ol" : "ul";
      return (
        <List>
          {block.items.map((item) => (
            <li key={item}>
              <Inline text={item} />
            </li>
          ))}
        </List>
      );
    }
    case "table":
      return <CardTable {...block} />;
  }
}

const CardTable = ({ head, rows }: Extract<Block, { kind: "table" }>) => (
  <Scroll label="Table">
    <table class="plain">
      <thead>
        <tr>
          {head.map((cell) => (
            <th scope="col" key={cell}>
              <Inline text={cell} />
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {rows.map((cells) => (
          <tr key={cells.join()}>
            {cells.map((cell, i) => (
              <td key={head[i]}>
                <Inline text={cell} />
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  </Scroll>
);

const Inline = ({ text }: { readonly text: string }) => <>{parseSpans(text).map(inlineElement)}</>;

function inlineElement(span: Span) {
  switch (span.kind) {
    case "code":
      return <code>{span.text}</code>;
    case "strong":
      return <strong>{span.text}</strong>;
    case "text":
      return span.text;
    case "link":
      return (
        <a href={span.href} rel="noreferrer noopener" target="_blank">
          {span.text}
        </a>
      );
  }
}
