// What `npm run build` leaves in dist/web.

import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";

const folder = join(import.meta.dirname, "../../dist/web");
const files = readdirSync(folder, { recursive: true, encoding: "utf8" })
  .map((name) => join(folder, name))
  .filter((path) => statSync(path).isFile());

test("the page loads in less than 100 kB", () => {
  expect(files.length).toBeGreaterThanOrEqual(3);
  const bytes = files.reduce((sum, path) => sum + gzipSync(readFileSync(path)).length, 0);
  expect(bytes).toBeLessThan(100_000);
});

test("the page holds no inline script or style, and names nothing outside itself", () => {
  const html = readFileSync(join(folder, "index.html"), "utf8");
  expect(html).not.toMatch(/<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)/);
  const linked = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map((match) => match[1]!);
  expect(linked.length).toBeGreaterThanOrEqual(2);
  for (const link of linked) expect(link).toMatch(/^(\.\/assets\/|data:,$)/);
  const styles = files.filter((path) => path.endsWith(".css")).map((path) => readFileSync(path, "utf8"));
  expect(styles.join()).not.toMatch(/@import|url\(/);
});
