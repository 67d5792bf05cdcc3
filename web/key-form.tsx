import { useState } from "preact/hooks";

const KEY = "armorm-api-key";

/** The key of this browser tab; it ends with the tab. */
export function storedKey(): string | null {
  try {
    return sessionStorage.getItem(KEY);
  } catch {
    return null;
  }
}

export function storeKey(key: string): void {
  try {
    sessionStorage.setItem(KEY, key);
  } catch {
    // The key then lasts as long as the page.
  }
}

/** Asks for the server's key. */
export function KeyForm({ onKey }: { readonly onKey: (key: string) => void }) {
  const [key, setKey] = useState("");
  return (
    <form
      class="panel key-form"
      onSubmit={(event) => {
        event.preventDefault();
        if (key !== "") onKey(key);
      }}
    >
      <label>
        API key
        <input
          type="password"
          autocomplete="off"
          value={key}
          onInput={(event) => setKey(event.currentTarget.value)}
        />
      </label>
      <button type="submit" class="main-button">
        Use this key
      </button>
      <small>It stays in this tab and goes to this server alone.</small>
    </form>
  );
}
