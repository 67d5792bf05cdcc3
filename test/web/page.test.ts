// The built page before a listening server, in a browser.

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Page, Route } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { explainedComparison, letter } from "../../src/scoring/explanation.ts";
import { rankingChange } from "../../src/scoring/ranking.ts";
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
  readonly url?: string;
  /** Before the page loads. */
  readonly prepare?: (page: Page) => Promise<void>;
}

/** A page of its own, and every address that it asked for. */
async function openPage({
  width = 1100,
  dark = false,
  url = server.url,
  prepare = async () => {},
}: PageOptions = {}) {
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
  await prepare(page);
  await page.goto(url);
  return { page, requests, errors, [Symbol.asyncDispose]: () => context.close() };
}

async function fill(page: Page, prompt: string, answers: readonly string[]): Promise<void> {
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

const compareButton = (page: Page) => page.getByRole("button", { name: "Compare", exact: true });

async function compare(page: Page, prompt = PROMPT, answers: readonly string[] = ANSWERS): Promise<void> {
  await fill(page, prompt, answers);
  await compareButton(page).click();
  await page.getByRole("heading", { name: "Ranking" }).waitFor();
}

const rowsFile = (rows: readonly object[]) => ({
  name: "rows.jsonl",
  mimeType: "application/jsonl",
  buffer: Buffer.from(rows.map((row) => `${JSON.stringify(row)}\n`).join("")),
});

/** Keeps requests to a path waiting until they are let go. */
async function hold(page: Page, path: string) {
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

async function exportedFrom(page: Page) {
  const download = page.waitForEvent("download");
  await page.getByRole("button", { name: "Export as JSON" }).click();
  return JSON.parse(readFileSync(await (await download).path(), "utf8"));
}

const order = (page: Page): Promise<string[]> => page.locator(".ranking li .badge").allTextContents();

test.skipIf(missingBrowser !== null)(
  "answers are ranked as the model ranks them, a slider moved by keyboard ranks them anew, and reset brings them back",
  async () => {
    await using opened = await openPage();
    const { page, requests, errors } = opened;
    await compare(page);
    // A long form would keep the results out of sight.
    await expect
      .poll(async () => (await page.locator(".results").boundingBox())!.y, { timeout: 60_000 })
      .toBeLessThan(20);
    const comparison = await server.model.compare([{ role: "user", content: PROMPT }], ANSWERS);
    const letters = (ranking: readonly number[]) => ranking.map(letter);
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
    const traced = await server.model.compare([{ role: "user", content: PROMPT }], ANSWERS, {
      steering: { scale },
      trace: "sentence",
    });
    const expected = {
      prompt: [{ role: "user", content: PROMPT }],
      texts: ANSWERS,
      ...explainedComparison(traced),
      rankingChange: rankingChange(traced.responses),
      steering: { scale },
    };
    // JSON has no negative zero.
    expect(await exportedFrom(page)).toEqual(JSON.parse(JSON.stringify(expected)));

    await page.getByRole("button", { name: "Reset" }).click();
    expect(await order(page)).toEqual(letters(comparison.ranking));

    const exported = await exportedFrom(page);
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

test.skipIf(missingBrowser !== null)(
  "an answer is read by sentences or tokens, from step to step, and the step in focus stays in sight",
  async () => {
    await using opened = await openPage();
    const { page } = opened;
    const long = "Seven is a prime, naïve as it may look 🌧️.\n\nTwo is another. ".repeat(30);
    await compare(page, PROMPT, [long, "Seven."]);
    await page.getByRole("radio", { name: "Read answer A" }).check({ force: true });
    const steps = async (trace: "sentence" | "token") => {
      const messages = [
        { role: "user", content: PROMPT },
        { role: "assistant", content: long },
      ];
      const [score] = await server.model.score([messages], { trace });
      return score!.trace!.steps;
    };
    const text = page.locator(".heat-text");
    const options = text.getByRole("option");
    const readout = page.locator(".readout");
    const active = () => text.getAttribute("aria-activedescendant");
    expect(await options.count()).toBe((await steps("sentence")).length);

    const unit = page.locator(".reading select").last();
    await unit.selectOption("token");
    const tokens = await steps("token");
    await expect.poll(() => options.count(), { timeout: 60_000 }).toBe(tokens.length);
    const unnamed = tokens.slice(0, -1).filter((step) => step.text.trim() === "");
    expect(unnamed.length, "tokens that are white space or end within a character").toBeGreaterThan(10);
    expect(await text.getByRole("option", { name: /^end of the turn:/ }).count()).toBe(1);
    expect(await text.getByRole("option", { name: /^part of a character:/ }).count()).toBe(
      unnamed.filter((step) => step.text === "").length,
    );
    expect(await text.locator(".end").count()).toBe(1);

    await text.focus();
    await page.keyboard.press("Home");
    await page.keyboard.press("ArrowRight");
    expect(await active()).toBe("step-1");
    expect(await readout.textContent()).toMatch(/^score after step 2 of \d+: /);
    await page.keyboard.press("End");
    expect(await active()).toBe(`step-${tokens.length - 1}`);
    expect(await readout.textContent()).toMatch(/^score after the end of the turn: /);
    const [box, step] = [await text.boundingBox(), await options.last().boundingBox()];
    expect(step!.y).toBeGreaterThanOrEqual(box!.y);
    expect(step!.y + step!.height).toBeLessThanOrEqual(box!.y + box!.height);

    await page.getByLabel("Follow").selectOption("kind");
    expect(await readout.textContent()).toMatch(/^kind after the end of the turn: /);
    await page.getByText("Steps as a table").click();
    expect(await page.locator(".step-text").count()).toBe(tokens.length);
    expect(await page.locator(".step-text").last().textContent()).toBe("end of the turn");

    await unit.selectOption("sentence");
    await expect.poll(() => options.count(), { timeout: 60_000 }).toBeLessThan(tokens.length);
    expect(await active()).toBeNull();
    expect(await readout.textContent()).toMatch(/before the answer/);
  },
  300_000,
);

test.skipIf(missingBrowser !== null)(
  "the theme's button goes round light, dark and the system's, and a later visit finds the choice",
  async () => {
    await using opened = await openPage();
    const { page } = opened;
    const background = () => page.evaluate("getComputedStyle(document.body).backgroundColor");
    const button = page.getByRole("button", { name: /^Theme: / });
    const seen = [];
    for (let i = 0; i < 3; i++) {
      await button.click();
      seen.push([await button.textContent(), await background()]);
    }
    expect(seen).toEqual([
      ["Theme: light", "rgb(244, 246, 250)"],
      ["Theme: dark", "rgb(13, 19, 30)"],
      ["Theme: system", "rgb(244, 246, 250)"],
    ]);
    await button.click();
    await button.click();
    await page.reload();
    expect([await button.textContent(), await background()]).toEqual(["Theme: dark", "rgb(13, 19, 30)"]);
  },
  300_000,
);

test.skipIf(missingBrowser !== null)(
  "a server with a key is asked with one: impossible and wrong keys are said to be so, and only the right one is kept",
  async () => {
    await using guarded = await openPageServer(join(directory, "model"), "sk-secret");
    await using opened = await openPage({ url: guarded.url });
    const { page, requests } = opened;
    const kept = () => page.evaluate("JSON.stringify(sessionStorage)");
    const field = page.getByLabel("API key");
    const use = async (key: string) => {
      await field.fill(key);
      await page.getByRole("button", { name: "Use this key" }).click();
    };
    await page.getByText("This server asks for an API key").waitFor();
    await page.locator("input[type=password]:focus").waitFor();

    const before = requests.length;
    await use("“sk-secret”");
    await page.getByText("this one holds “ (U+201C)").waitFor();
    expect(requests.length, "nothing is sent").toBe(before);
    await use("sk-other");
    await page.getByText("The server does not take this key").waitFor();
    expect(await kept()).toBe("{}");
    await page.reload();
    await page.getByText("This server asks for an API key").waitFor();

    await use(" sk-secret ");
    await compare(page);
    expect(await order(page)).toHaveLength(3);
    await page.reload();
    await page.getByLabel("Turn 1, user").waitFor();
    expect(await field.count()).toBe(0);
  },
  300_000,
);

test.skipIf(missingBrowser !== null)(
  "a server that is gone is said to be gone where it is seen, and all goes on when it is back",
  async () => {
    const leave = async (page: Page) => {
      await page.route("**/v1/*", (route) => route.abort("connectionrefused"));
    };
    await using opened = await openPage({ width: 360, prepare: leave });
    const { page } = opened;
    const gone = page.getByText("The server does not answer");
    await gone.waitFor();
    await page.unroute("**/v1/*");
    await page.getByRole("button", { name: "Try again" }).click();

    const eight = Array.from({ length: 8 }, (_, i) => `${i} is a prime. `.repeat(20));
    await fill(page, PROMPT, eight);
    await leave(page);
    await compareButton(page).click();
    await gone.waitFor();
    const { top, bottom } = await gone.evaluate((element) => element.getBoundingClientRect());
    expect(top, "on screen, though the button stands below a long form").toBeGreaterThanOrEqual(0);
    expect(bottom).toBeLessThanOrEqual(900);
    await page.getByRole("button", { name: "Hide" }).click();
    expect(await gone.count()).toBe(0);
    await compareButton(page).click();
    await gone.waitFor();
    await page.unroute("**/v1/*");
    await compareButton(page).click();
    await page.getByRole("heading", { name: "Ranking" }).waitFor();
    expect(await gone.count()).toBe(0);
    expect(await order(page)).toHaveLength(8);

    await leave(page);
    await page.getByRole("button", { name: "Rank a file" }).click();
    await page.getByLabel(/Drop a file/).setInputFiles(rowsFile([{ prompt: PROMPT, responses: ANSWERS }]));
    await gone.waitFor();
    await page.getByText("0 of 1 rows ranked, 1 to go").waitFor();
    await page.unroute("**/v1/*");
    await page.getByRole("button", { name: "Rank all" }).click();
    await page.getByText("1 of 1 rows ranked").waitFor();
    expect(await gone.count()).toBe(0);
  },
  300_000,
);

test.skipIf(missingBrowser !== null)(
  "numbers of eight answers have room at 360 px",
  async () => {
    await using opened = await openPage({ width: 360 });
    const { page } = opened;
    await compare(
      page,
      PROMPT,
      Array.from({ length: 8 }, (_, i) => `${i} is a prime.`),
    );
    const cramped = await page
      .locator(".matrix .number")
      .evaluateAll((cells) => cells.filter((cell) => cell.scrollWidth > cell.clientWidth).length);
    expect(cramped).toBe(0);
    const small = await page
      .locator("button:visible, select:visible, summary:visible, input[type=range]:visible")
      .evaluateAll((all) =>
        all
          .map((one) => one.getBoundingClientRect())
          .filter(({ width, height }) => Math.min(width, height) < 24),
      );
    expect(small, "targets under 24 px").toEqual([]);
  },
  300_000,
);

test.skipIf(missingBrowser !== null)(
  "a file is taken by drag and drop; a row with a single answer has a score, and nothing it beats",
  async () => {
    await using opened = await openPage();
    const { page, errors } = opened;
    await page.getByRole("button", { name: "Rank a file" }).click();
    const { name, buffer } = rowsFile([
      { prompt: PROMPT, responses: ANSWERS },
      { id: "alone", prompt: PROMPT, responses: ["Seven."] },
      { prompt: PROMPT, responses: [] },
    ]);
    const dataTransfer = await page.evaluateHandle(
      `const dropped = new DataTransfer();
      dropped.items.add(new File([${JSON.stringify(buffer.toString())}], "${name}"));
      dropped`,
    );
    const zone = page.locator(".drop");
    await zone.dispatchEvent("dragover", { dataTransfer });
    expect(await zone.getAttribute("class")).toBe("drop over");
    await zone.dispatchEvent("drop", { dataTransfer });
    expect(await zone.getAttribute("class")).toBe("drop");
    await page.getByText("2 of 3 rows ranked, 1 could not be").waitFor();
    expect(await page.locator(".row.failed").textContent()).toMatch(/expected at least one, got 0/);

    await page.evaluate("Blob.prototype.text = () => Promise.reject(new Error('a folder'))");
    await zone.dispatchEvent("drop", { dataTransfer });
    await page.getByText("rows.jsonl cannot be read").waitFor();

    const messages = [
      { role: "user", content: PROMPT },
      { role: "assistant", content: "Seven." },
    ];
    const [score] = await server.model.score([messages], { trace: "sentence" });
    await page.getByRole("button", { name: "Look inside alone, line 2" }).click();
    expect(await order(page)).toEqual(["A"]);
    expect(await page.getByRole("heading", { name: /^Why/ }).count()).toBe(0);
    expect(await exportedFrom(page)).toEqual({
      id: "alone",
      prompt: messages.slice(0, 1),
      texts: ["Seven."],
      responses: [score],
      ranking: [0],
      pairs: [],
    });
    expect(errors).toEqual([]);
  },
  300_000,
);

test.skipIf(missingBrowser !== null)(
  "a comparison can be cancelled, and its answer is not shown when it comes",
  async () => {
    await using opened = await openPage();
    const { page } = opened;
    const held = await hold(page, "**/v1/compare");
    await fill(page, PROMPT, ANSWERS);
    await compareButton(page).click();
    await held.arrived();
    await page.getByRole("button", { name: "Cancel" }).press("Enter");
    await compareButton(page).waitFor();
    await held.letGo();
    await page.evaluate("fetch('v1/model').then((answer) => answer.text())");
    expect(await page.getByRole("heading", { name: "Ranking" }).count()).toBe(0);
    expect(await page.getByRole("alert").count()).toBe(0);
    await compareButton(page).press("Control+Enter");
    await page.getByRole("heading", { name: "Ranking" }).waitFor();
  },
  300_000,
);

test.skipIf(missingBrowser !== null)(
  "an answer that arrives late does not take the place of the row that was opened meanwhile",
  async () => {
    await using opened = await openPage();
    const { page } = opened;
    await page.getByRole("button", { name: "Rank a file" }).click();
    const run = await hold(page, "**/v1/compare");
    await page
      .getByLabel(/Drop a file/)
      .setInputFiles(rowsFile([{ prompt: PROMPT, responses: ANSWERS.slice(0, 2) }]));
    await run.arrived();
    await page.getByRole("button", { name: "Compare answers" }).click();
    expect(await compareButton(page).count(), "the file's run is another piece of work").toBe(1);
    await run.letGo();
    await page.getByText("1 of 1 rows ranked").waitFor({ state: "attached" });
    const held = await hold(page, "**/v1/compare");
    await fill(page, "Another question.", ANSWERS);
    await compareButton(page).click();
    await held.arrived();
    await page.getByRole("button", { name: "Rank a file" }).click();
    await page.getByRole("button", { name: "Look inside line 1" }).click();
    await held.letGo();
    await page.evaluate("fetch('v1/model').then((answer) => answer.text())");
    expect(await page.getByLabel("Turn 1, user").inputValue()).toBe(PROMPT);
    expect(await order(page)).toHaveLength(2);
    expect(await page.getByRole("alert").count()).toBe(0);
  },
  300_000,
);

test.skipIf(missingBrowser !== null)(
  "the two answers that were chosen to be explained are chosen anew for another comparison",
  async () => {
    await using opened = await openPage();
    const { page, errors } = opened;
    await compare(page);
    const worst = (await order(page)).at(-1)!;
    const title = page.locator("#why-title");
    const first = await title.textContent();
    await page
      .getByLabel("Compare", { exact: false })
      .and(page.locator("select"))
      .selectOption({ label: worst });
    expect(await title.textContent()).not.toBe(first);
    await compare(page, PROMPT, ANSWERS.slice(0, 2));
    await expect.poll(() => order(page)).toHaveLength(2);
    expect(await title.textContent()).toBe(`Why ${(await order(page)).join(" beats ")}`);
    expect(errors).toEqual([]);
  },
  300_000,
);
