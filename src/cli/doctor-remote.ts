import { KEY_VARIABLE } from "../backbone/remote/transport.ts";
import { ENGINES } from "../checkpoint/remote-location.ts";
import type { Check } from "./doctor-check.ts";

/** How backbones that engines serve elsewhere are named, and whether there is a key for them. Nobody is asked. */
export function remoteCheck(): Check {
  const keySet = (process.env[KEY_VARIABLE] ?? "") !== "";
  return {
    name: "remote",
    status: "ok",
    message: `${ENGINES.join(" and ")} can serve a backbone: --backbone "${ENGINES[0]}+http://HOST:PORT#org/name" (${KEY_VARIABLE} is ${keySet ? "set" : "not set"})`,
    figures: { engines: ENGINES, keySet },
  };
}
