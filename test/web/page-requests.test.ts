// What the page says of its server: keys, a connection that is gone, work that is cancelled; in a browser.

import { join } from "node:path";
import type { Page } from "playwright-core";
import { expect } from "vitest";
import {
  ANSWERS,
  browserTest,
  compare,
  compareButton,
  fill,
  hold,
  order,
  PROMPT,
  rowsFile,
  usePages,
} from "./page-fixture.ts";
import { openPageServer } from "./page-server.ts";

const { directory, openPage } = usePages();

browserTest(
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

browserTest(
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

browserTest(
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
