import { useEffect, useRef, useState } from "preact/hooks";
import { whatIsWrongWith } from "./key.ts";

/** Asks for the server's key. */
export function KeyForm({ onKey }: { readonly onKey: (key: string) => void }) {
  const [key, setKey] = useState("");
  const [wrong, setWrong] = useState<string | null>(null);
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => field.current!.focus(), []);
  return (
    <form
      class="panel key-form"
      onSubmit={(event) => {
        event.preventDefault();
        // What was copied often has a space at its end.
        const given = key.trim();
        const found = whatIsWrongWith(given);
        setWrong(found);
        if (found === null) onKey(given);
      }}
    >
      <label>
        API key
        <input
          ref={field}
          type="password"
          autocomplete="off"
          value={key}
          onInput={(event) => {
            setKey(event.currentTarget.value);
            setWrong(null);
          }}
        />
      </label>
      <button type="submit" class="main-button">
        Use this key
      </button>
      {wrong !== null && (
        <p class="missing" role="alert">
          {wrong}
        </p>
      )}
      <small>It stays in this tab and goes to this server alone.</small>
    </form>
  );
}
