import { existsSync } from "node:fs";
import { type Browser, chromium } from "playwright-core";

const PATH = "/usr/bin/chromium";

/** Debian's chromium is there, or the reason why the page's tests are skipped. */
export const missingBrowser = existsSync(PATH) ? null : `skipped: no chromium (${PATH})`;

const QUIET = [
  "--no-sandbox",
  "--disable-gpu",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

export const launchBrowser = (): Promise<Browser> =>
  chromium.launch({ executablePath: PATH, args: QUIET, timeout: 180_000 });
