import { render } from "preact";
import { Page } from "./page.tsx";
import { applyTheme, storedTheme } from "./theme.tsx";

applyTheme(storedTheme());
render(<Page />, document.getElementById("page")!);
