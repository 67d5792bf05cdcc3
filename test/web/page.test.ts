// What the page shows, in a browser.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { explainedComparison, letter } from "../../src/scoring/explanation.ts";
import { rankingChange } from "../../src/scoring/ranking.ts";
import { steerScore } from "../../src/scoring/steering.ts";
import { ANSWERS, browserTest, compare, exportedFrom, order, PROMPT, usePages } from "./page-fixture.ts";

const { model, openPage, url } = usePages();
const INJECTION = '<img src=x onerror="document.title=1"><script>document.title=2</script><b>bold</b>';

browserTest(
  "answers are ranked as the model ranks them, a slider moved by keyboard ranks them anew, and reset brings them back",
  async () => {
    await using opened = await openPage();
    const { page, requests, errors } = opened;
    await compare(page);
    // A long form would keep the results out of sight.
    await expect
      .poll(async () => (await page.locator(".results").boundingBox())!.y, { timeout: 60_000 })
      .toBeLessThan(20);
    const comparison = await model().compare([{ role: "user", content: PROMPT }], ANSWERS);
    const letters = (ranking: readonly number[]) => ranking.map(letter);
    expect(await order(page)).toEqual(letters(comparison.ranking));

    // The factor 0 that changes the ranking is the model's own to say.
    const changing = model().objectives.find(({ name }) => {
      const scores = comparison.responses.map(
        (score) => steerScore(score, { scale: { [name]: 0 } }, model()).score,
      );
      return scores.indexOf(Math.max(...scores)) !== comparison.ranking[0];
    });
    expect(changing, "an objective without which another answer wins").toBeDefined();
    const scale = { [changing!.name]: 0 };
    const steered = await model().compare([{ role: "user", content: PROMPT }], ANSWERS, {
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
    const traced = await model().compare([{ role: "user", content: PROMPT }], ANSWERS, {
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
        (asked) => !asked.startsWith(url()) && !asked.startsWith("data:") && !asked.startsWith("blob:"),
      ),
    ).toEqual([]);
  },
  300_000,
);

browserTest(
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

browserTest.each([false, true])(
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

browserTest(
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
      const [score] = await model().score([messages], { trace });
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

browserTest(
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

browserTest(
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

browserTest(
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
    await expect.poll(() => order(page), { timeout: 60_000 }).toHaveLength(2);
    expect(await title.textContent()).toBe(`Why ${(await order(page)).join(" beats ")}`);
    expect(errors).toEqual([]);
  },
  300_000,
);
