import { join } from "node:path";
import { defineConfig } from "vite";

/** The page as `armorm serve` shows it: files of one folder, relative to wherever it is mounted. */
export default defineConfig({
  root: import.meta.dirname,
  base: "./",
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  build: {
    outDir: join(import.meta.dirname, "../dist/web"),
    emptyOutDir: true,
    target: "es2022",
    modulePreload: { polyfill: false },
    // A data: URL of a script or style would be against the page's content security policy.
    assetsInlineLimit: 0,
    reportCompressedSize: false,
  },
});
