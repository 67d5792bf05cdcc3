// The built page before a listening server, in a browser.

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Page, Route } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { letter } from "../../src/scoring/explanation.ts";
import { writeSmallModel } from "../cli/small-model.ts";
import { launchBrowser, missingBrowser } from "./browser.ts";
import { openPageServer, type PageServer } from "./page-server.ts";

if (missingBrowser !== null) {
  if (process.env.ARMORM_REQUIRE_CHROMIUM) throw new Error(missingBrowser);
  console.log(missingBrowser);
}

export const browserTest = test.skipIf(missingBrowser !== null);

export const PROMPT = "Name a prime.";
export const ANSWERS = ["Seven.", "Eight, I think.", "Primes are 2, 3, 5 and 7. Take 7."];

export interface PageOptions {
  readonly width?: number;
  readonly dark?: boolean;
  /** Default: the server that all tests of the file share. */
  readonly url?: string;
  /** Before the page loads. */
  readonly prepare?: (page: Page) => Promise<void>;
}

/** A browser, and a server with a small model, for the tests of a file. */
export function usePages() {
  const directory = mkdtempSync(join(tmpdir(), "armorm-page-"));
  let server: PageServer;
  let browser: Browser;

  beforeAll(async () => {
    if (missingBrowser !== null) return;
    await writeSmallModel(join(directory, "model"));
    server = await openPageServer(join(directory, "model"));
    browser = await launchBrowser();
  }, 300_000);

  afterAll(async () => {
    await browser?.close();
    await server?.[Symbol.asyncDispose]();
    rmSync(directory, { recursive: true, force: true });
  });

  return {
    directory,
    model: () => server.model,
    url: () => server.url,
    /** A page of its own, and every address that it asked for. */
    async openPage({ width = 1100, dark = false, url = server.url, prepare }: PageOptions = {}) {
      const context = await browser.newContext({
        viewport: { width, height: 900 },
        colorScheme: dark ? "dark" : "light",
        reducedMotion: "reduce",
      });
      const page = await context.newPage();
      page.setDefaultTimeout(60_000);
      const requests: string[] = [];
      const errors: string[] = [];
      page.on("request", (request) => requests.push(request.url()));
      page.on("pageerror", (error) => errors.push(error.message));
      page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
      await prepare?.(page);
      await page.goto(url);
      return { page, requests, errors, [Symbol.asyncDispose]: () => context.close() };
    },
  };
}

export async function fill(page: Page, prompt: string, answers: readonly string[]): Promise<void> {
  await page.getByLabel("Turn 1, user").fill(prompt);
  const fields = await page.getByLabel(/^Answer [A-Z]$/).count();
  for (let i = fields; i < answers.length; i++)
    await page.getByRole("button", { name: "Add an answer" }).click();
  for (let i = fields; i > answers.length; i--)
    await page.getByRole("button", { name: `Remove answer ${letter(i - 1)}` }).click();
  for (const [i, answer] of answers.entries()) {
    await page.getByLabel(`Answer ${letter(i)}`, { exact: true }).fill(answer);
  }
}

export const compareButton = (page: Page) => page.getByRole("button", { name: "Compare", exact: true });

export async function compare(
  page: Page,
  prompt = PROMPT,
  answers: readonly string[] = ANSWERS,
): Promise<void> {
  await fill(page, prompt, answers);
  await compareButton(page).click();
  await page.getByRole("heading", { name: "Ranking" }).waitFor();
}

export const rowsFile = (rows: readonly object[]) => ({
  name: "rows.jsonl",
  mimeType: "application/jsonl",
  buffer: Buffer.from(rows.map((row) => `${JSON.stringify(row)}\n`).join("")),
});

/** Keeps requests to a path waiting until they are let go. */
export async function hold(page: Page, path: string) {
  const held: Route[] = [];
  await page.route(path, (route) => void held.push(route));
  return {
    arrived: () => expect.poll(() => held.length, { timeout: 60_000 }).toBe(1),
    async letGo() {
      await page.unroute(path);
      // The page may have given up what it asked for.
      for (const route of held) await route.continue().catch(() => {});
    },
  };
}

export async function exportedFrom(page: Page) {
  const download = page.waitForEvent("download");
  await page.getByRole("button", { name: "Export as JSON" }).click();
  return JSON.parse(readFileSync(await (await download).path(), "utf8"));
}

export const order = (page: Page): Promise<string[]> => page.locator(".ranking li .badge").allTextContents();
