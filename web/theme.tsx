import { useState } from "preact/hooks";

type Theme = "system" | "light" | "dark";

const KEY = "armorm-theme";
const NEXT: Record<Theme, Theme> = { system: "light", light: "dark", dark: "system" };

/** The choice of an earlier visit. A browser that stores nothing follows the system. */
export function storedTheme(): Theme {
  try {
    const theme = localStorage.getItem(KEY);
    return theme === "light" || theme === "dark" ? theme : "system";
  } catch {
    return "system";
  }
}

/** Shows the page in a theme; `system` follows the reader's. */
export function applyTheme(theme: Theme): void {
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
}

/** A button that goes round light, dark and the system's theme. */
export function ThemeButton() {
  const [theme, setTheme] = useState<Theme>(storedTheme);
  const change = () => {
    const next = NEXT[theme];
    setTheme(next);
    applyTheme(next);
    try {
      localStorage.setItem(KEY, next);
    } catch {
      // The choice then lasts as long as the page.
    }
  };
  return (
    <button type="button" class="quiet-button" onClick={change} title={`Change to ${NEXT[theme]}`}>
      Theme: {theme}
    </button>
  );
}
