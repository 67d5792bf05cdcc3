import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import {
  EMBEDDED_DIRECTORY,
  localDirectory,
  locateCheckpoint,
  storedLocation,
} from "../../../src/checkpoint/location.ts";
import { type HubServer, startHub } from "./hub-server.ts";

const folder = mkdtempSync(join(tmpdir(), "location-"));
let hub: HubServer;

beforeAll(async () => {
  hub = await startHub({ "org/tiny": EMBEDDED_DIRECTORY });
  vi.stubEnv("HF_ENDPOINT", hub.endpoint);
  vi.stubEnv("HF_HOME", join(folder, "home"));
  for (const name of ["HF_TOKEN", "HF_HUB_CACHE", "HF_HUB_OFFLINE", "http_proxy", "HTTP_PROXY"]) {
    vi.stubEnv(name, undefined);
  }
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await hub.close();
  rmSync(folder, { recursive: true });
});

test("tiny, folders and what can only be a path are never looked for on the hub", async () => {
  expect(await locateCheckpoint("tiny")).toEqual({
    directory: EMBEDDED_DIRECTORY,
    name: "tiny",
    checkpoint: "tiny",
  });
  const paths = [
    "./org/tiny",
    "../org/tiny",
    "/org/tiny",
    "~/tiny",
    "C:/tiny",
    "\\\\host\\share",
    "src/checkpoint",
    "src",
  ];
  for (const path of paths)
    expect(await locateCheckpoint(path)).toEqual({ directory: path, name: path, checkpoint: path });
  expect(hub.log).toEqual([]);
});

test("what is nothing of these is named in the error", async () => {
  for (const text of ["no-such-model", "a/b/c", "a/b@", "https://huggingface.co/a/b"]) {
    await expect(locateCheckpoint(text)).rejects.toThrow(
      expect.objectContaining({
        code: "missing-checkpoint",
        message: expect.stringContaining(`${text}: expected`),
      }),
    );
  }
});

test("a repository is its snapshot, and is stored with its commit", async () => {
  expect(await storedLocation("org/tiny")).toBe("org/tiny@main"); // never opened here
  expect(await localDirectory("org/tiny")).toBeNull();
  const pinned = `org/tiny@${hub.commitOf("org/tiny")}`;
  const { directory, name } = await locateCheckpoint("org/tiny");
  expect(name).toBe(pinned);
  hub.log.length = 0;
  expect(await storedLocation("org/tiny")).toBe(pinned);
  expect(await storedLocation(pinned)).toBe(pinned);
  expect(await locateCheckpoint(pinned)).toEqual({ directory, name, checkpoint: name });
  expect(await localDirectory("org/tiny")).toBe(directory);
  expect(hub.log).toEqual([]);
  expect(await storedLocation("tiny")).toBe("tiny");
  expect(await storedLocation("src")).toBe(resolve("src"));
});
