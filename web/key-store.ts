// The key that the server asks for: kept by this browser tab, and ends with it.

const KEY = "armorm-api-key";

export function storedKey(): string | null {
  try {
    return sessionStorage.getItem(KEY);
  } catch {
    return null;
  }
}

/** Keeps a key that the server has taken: one that it refuses is not worth keeping. */
export function storeKey(key: string): void {
  try {
    sessionStorage.setItem(KEY, key);
  } catch {
    // The key then lasts as long as the page.
  }
}
