// GET /: the page, from dist/web. Its files are read once and named one by one, so that no path from outside reaches the disk.

import { readdirSync, readFileSync } from "node:fs";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { ServerApp } from "../app.ts";

const FOLDER = fileURLToPath(new URL("../../../dist/web/", import.meta.url));

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".ico": "image/x-icon",
  ".json": "application/json",
};

/** Nothing from elsewhere, nothing inline, in no frame. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src 'self' data:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

/** Adds the page's files, without a key: what they show comes from routes that ask for it. A server without a built page has none. */
export function addPageRoutes(app: ServerApp, folder: string = FOLDER): void {
  for (const name of filesIn(folder)) {
    const type = TYPES[extname(name)];
    if (type === undefined) continue;
    const bytes = readFileSync(join(folder, name));
    // Names with a hash of their content never change; the page itself is asked for again.
    const cache = /-[\w-]{8,}\.\w+$/.test(name) ? "public, max-age=31536000, immutable" : "no-cache";
    const headers = {
      "content-type": type,
      "content-security-policy": POLICY,
      "referrer-policy": "no-referrer",
      "cache-control": cache,
    };
    const path = name === "index.html" ? "/" : (`/${name}` as const);
    app.get(
      { path, summary: "A file of the page", open: true, answers: type },
      () => new Response(bytes, { headers }),
    );
  }
}

function filesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder, { recursive: true, encoding: "utf8" }).map((name) =>
      name.replaceAll("\\", "/"),
    );
  } catch {
    return [];
  }
}
