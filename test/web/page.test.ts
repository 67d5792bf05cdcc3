// The built page before a listening server, in a browser.

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { steerScore } from "../../src/scoring/steering.ts";
import { writeSmallModel } from "../cli/small-model.ts";
import { launchBrowser, missingBrowser } from "./browser.ts";
import { openPageServer, type PageServer } from "./page-server.ts";

if (missingBrowser !== null) {
  if (process.env.ARMORM_REQUIRE_CHROMIUM) throw new Error(missingBrowser);
  console.log(missingBrowser);
}

const PROMPT = "Name a prime.";
const ANSWERS = ["Seven.", "Eight, I think.", "Primes are 2, 3, 5 and 7. Take 7."];
const INJECTION = '<img src=x onerror="document.title=1"><script>document.title=2</script><b>bold</b>';

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

interface PageOptions {
  readonly width?: number;
  readonly dark?: boolean;
}

/** A page of its own, and every address that it asked for. */
async function openPage({ width = 1100, dark = false }: PageOptions = {}) {
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
  await page.goto(server.url);
  return { page, requests, errors, [Symbol.asyncDispose]: () => context.close() };
}

async function compare(page: Page, prompt = PROMPT, answers: readonly string[] = ANSWERS): Promise<void> {
  await page.getByLabel("Turn 1, user").fill(prompt);
  for (let i = 2; i < answers.length; i++) await page.getByRole("button", { name: "Add an answer" }).click();
  for (const [i, answer] of answers.entries()) {
    await page.getByLabel(`Answer ${"ABC"[i]}`, { exact: true }).fill(answer);
  }
  await page.getByRole("button", { name: "Compare", exact: true }).click();
  await page.getByRole("heading", { name: "Ranking" }).waitFor();
}

const order = (page: Page): Promise<string[]> => page.locator(".ranking li .badge").allTextContents();

test.skipIf(missingBrowser !== null)(
  "answers are ranked as the model ranks them, a slider moved by keyboard ranks them anew, and reset brings them back",
  async () => {
    await using opened = await openPage();
    const { page, requests, errors } = opened;
    await compare(page);
    const comparison = await server.model.compare([{ role: "user", content: PROMPT }], ANSWERS);
    const letters = (ranking: readonly number[]) => ranking.map((index) => "ABC"[index]);
    expect(await order(page)).toEqual(letters(comparison.ranking));

    // The factor 0 that changes the ranking is the model's own to say.
    const changing = server.model.objectives.find(({ name }) => {
      const scores = comparison.responses.map(
        (score) => steerScore(score, { scale: { [name]: 0 } }, server.model).score,
      );
      return scores.indexOf(Math.max(...scores)) !== comparison.ranking[0];
    });
    expect(changing, "an objective without which another answer wins").toBeDefined();
    const scale = { [changing!.name]: 0 };
    const steered = await server.model.compare([{ role: "user", content: PROMPT }], ANSWERS, {
      steering: { scale },
    });
    const before = requests.length;
    await page.getByRole("slider", { name: changing!.name, exact: true }).focus();
    await page.keyboard.press("Home");
    expect(await order(page)).toEqual(letters(steered.ranking));
    expect(await page.locator(".ranking .before").first().textContent()).toMatch(/^unsteered .*place \d$/);
    expect(await page.locator(".steering-change").textContent()).toMatch(
      /^Steering gives place 1 to [ABC] instead of/,
    );
    expect(requests.length, "steering asks no server").toBe(before);

    await page.getByRole("button", { name: "Reset" }).click();
    expect(await order(page)).toEqual(letters(comparison.ranking));

    const download = page.waitForEvent("download");
    await page.getByRole("button", { name: "Export as JSON" }).click();
    const exported = JSON.parse(readFileSync(await (await download).path(), "utf8"));
    expect(exported).toMatchObject({ texts: ANSWERS, ranking: comparison.ranking });
    expect(exported.responses[0].score).toBe(comparison.responses[0]!.score);
    expect(errors).toEqual([]);
    expect(
      requests.filter(
        (url) => !url.startsWith(server.url) && !url.startsWith("data:") && !url.startsWith("blob:"),
      ),
    ).toEqual([]);
  },
  300_000,
);

test.skipIf(missingBrowser !== null)(
  "a file's rows are ranked in order, bad ones stay with their line, and a click looks inside",
  async () => {
    await using opened = await openPage();
    const { page } = opened;
    await page.getByRole("button", { name: "Rank a file" }).click();
    const row = (id: string) => JSON.stringify({ id, prompt: PROMPT, responses: ANSWERS });
    const buffer = Buffer.from(`${row("first")}\nbroken\n${row("second")}\n`);
    await page
      .getByLabel(/Drop a file/)
      .setInputFiles({ name: "rows.jsonl", mimeType: "application/jsonl", buffer });
    await page.getByText("2 of 3 rows ranked, 1 could not be").waitFor();
    expect(await page.locator(".row.failed").textContent()).toMatch(/^line 2not JSON/);
    const download = page.waitForEvent("download");
    await page.getByRole("button", { name: "Export all as JSONL" }).click();
    const lines = readFileSync(await (await download).path(), "utf8")
      .trimEnd()
      .split("\n");
    expect(lines.map((line) => JSON.parse(line).id)).toEqual(["first", "second"]);
    await page.getByRole("button", { name: "Look inside second, line 3" }).click();
    expect(await page.getByLabel("Turn 1, user").inputValue()).toBe(PROMPT);
    expect(await order(page)).toHaveLength(3);
  },
  300_000,
);

test.skipIf(missingBrowser !== null)(
  "text of messages and of the card stays text, at 360 px nothing scrolls sideways",
  async () => {
    await using opened = await openPage({ width: 360 });
    const { page } = opened;
    await compare(page, INJECTION, [INJECTION, `${INJECTION} ${"long".repeat(200)}`]);
    expect(await page.locator(".ranking .snippet").first().textContent()).toContain(INJECTION);
    await page.getByRole("button", { name: "Model card" }).click();
    expect(await page.getByRole("dialog").textContent()).toContain("<b>code</b>");
    await page.keyboard.press("Escape");
    expect(await page.locator("main img, main b, main script, dialog b").count()).toBe(0);
    expect(await page.title()).toBe("model · armorm");
    expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(360);
  },
  300_000,
);

test.skipIf(missingBrowser !== null).each([false, true])(
  "axe finds nothing serious (dark: %s)",
  async (dark) => {
    await using opened = await openPage({ dark });
    const { page } = opened;
    await compare(page);
    const background = await page.evaluate("getComputedStyle(document.body).backgroundColor");
    expect(background).toBe(dark ? "rgb(13, 19, 30)" : "rgb(244, 246, 250)");
    const axe = readFileSync(join(import.meta.dirname, "../../node_modules/axe-core/axe.min.js"), "utf8");
    // Evaluated by the debugger, which the page's policy does not bind.
    await page.evaluate(axe);
    const { violations } = (await page.evaluate("axe.run()")) as {
      violations: { id: string; impact: string; nodes: { html: string }[] }[];
    };
    const grave = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
    expect(grave.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`)).toEqual([]);
  },
  300_000,
);
