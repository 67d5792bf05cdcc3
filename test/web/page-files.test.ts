// A file of rows in the page, in a browser.

import { readFileSync } from "node:fs";
import { expect } from "vitest";
import {
  ANSWERS,
  browserTest,
  compareButton,
  exportedFrom,
  fill,
  hold,
  order,
  PROMPT,
  rowsFile,
  usePages,
} from "./page-fixture.ts";

const { model, openPage } = usePages();

browserTest(
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

browserTest(
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
    const [score] = await model().score([messages], { trace: "sentence" });
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

browserTest(
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
