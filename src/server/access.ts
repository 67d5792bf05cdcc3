// Who may call.

import { createHash, timingSafeEqual } from "node:crypto";
import { HttpError } from "./errors.ts";

export interface Access {
  /** @param open Whether the route is answered without a key. @throws {HttpError} 401 `unauthorized`; 403 `foreign-host` */
  check(request: Request, open: boolean): void;
}

/** Everybody. */
export const OPEN_ACCESS: Access = { check: () => {} };

/** Those who send one of the keys as `Authorization: Bearer KEY`. The comparison takes the same time whatever was sent. */
export function keyAccess(keys: readonly string[]): Access {
  const digests = keys.map(digest);
  return {
    check({ headers }, open) {
      if (open) return;
      const [, given = ""] = /^Bearer\s+(.+)$/i.exec(headers.get("authorization") ?? "") ?? [];
      const got = digest(given);
      // All of them, so that time does not say which.
      const matching = digests.filter((known) => timingSafeEqual(known, got));
      if (matching.length > 0) return;
      throw new HttpError(
        401,
        "unauthorized",
        `authorization: expected "Bearer" and an API key, got ${given === "" ? "none" : "another key"}`,
        "send the key that the server was started with: Authorization: Bearer KEY",
        { "www-authenticate": "Bearer" },
      );
    },
  };
}

const digest = (key: string): Buffer => createHash("sha256").update(key).digest();

/**
 * Everybody on this machine, for a server without keys on a loopback address. A page of another site may have its name point to
 * 127.0.0.1 (DNS rebinding) and then counts as this server's own; the `Host` that the browser sends still has that name.
 */
export const LOOPBACK_ACCESS: Access = {
  check({ headers }) {
    const host = (headers.get("host") ?? "").replace(/:\d+$/, "").toLowerCase();
    if (isLoopback(host)) return;
    throw new HttpError(
      403,
      "foreign-host",
      "host: expected localhost or a loopback address, as the server has no API key; got another name",
      "call it as http://127.0.0.1, or start it with --api-key",
    );
  },
};

/** Whether a host name or address, IPv6 with or without brackets, is this machine's own. */
export function isLoopback(host: string): boolean {
  const name = host.replace(/^\[(.*)\]$/, "$1");
  return name === "localhost" || name === "::1" || /^127(\.\d{1,3}){3}$/.test(name);
}
