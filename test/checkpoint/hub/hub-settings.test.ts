import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { cacheFolder, hubSettings } from "../../../src/checkpoint/hub/hub-settings.ts";

const folder = mkdtempSync(join(tmpdir(), "hub-settings-"));
afterAll(() => rmSync(folder, { recursive: true }));

test("the cache is where Hugging Face's libraries look for it", () => {
  expect(cacheFolder({ HF_HUB_CACHE: "/a", HUGGINGFACE_HUB_CACHE: "/b", HF_HOME: "/c" })).toBe("/a");
  expect(cacheFolder({ HUGGINGFACE_HUB_CACHE: "/b", HF_HOME: "/c" })).toBe("/b");
  expect(cacheFolder({ HF_HOME: "/c", XDG_CACHE_HOME: "/d" })).toBe("/c/hub");
  expect(cacheFolder({ XDG_CACHE_HOME: "/d" })).toBe("/d/huggingface/hub");
  expect(cacheFolder({ HF_HOME: "~/hf" })).toBe(join(homedir(), "hf/hub"));
  expect(cacheFolder({})).toMatch(/\/\.cache\/huggingface\/hub$/);
});

test("the token comes from HF_TOKEN, its old name, HF_TOKEN_PATH, or HF_HOME/token, in this order", () => {
  writeFileSync(join(folder, "token"), "hf_home\n");
  writeFileSync(join(folder, "other"), " hf_path \r\n");
  const token = (env: Record<string, string>) => hubSettings({ HF_HOME: folder, ...env }).token;
  const HF_TOKEN_PATH = join(folder, "other");
  const HUGGING_FACE_HUB_TOKEN = "hf_old";
  expect(token({ HF_TOKEN: "hf_new\n", HUGGING_FACE_HUB_TOKEN, HF_TOKEN_PATH })).toBe("hf_new");
  expect(token({ HF_TOKEN: "", HUGGING_FACE_HUB_TOKEN, HF_TOKEN_PATH })).toBe("hf_old");
  expect(token({ HF_TOKEN_PATH })).toBe("hf_path");
  expect(token({})).toBe("hf_home");
  expect(token({ HF_HOME: join(folder, "none") })).toBeNull();
});

test("a token that no header can carry is refused without being shown", () => {
  expect(() => hubSettings({ HF_TOKEN: "hf_secret\nx" })).toThrow(
    expect.objectContaining({ code: "bad-token", message: expect.not.stringContaining("secret") }),
  );
});

test("offline is 1, on, yes or true, of the hub or of transformers", () => {
  for (const value of ["1", "ON", "yes", "True"]) {
    expect(hubSettings({ HF_HUB_OFFLINE: value }).offline).toBe(true);
    expect(hubSettings({ TRANSFORMERS_OFFLINE: value }).offline).toBe(true);
  }
  for (const value of ["0", "", "off", "no"])
    expect(hubSettings({ HF_HUB_OFFLINE: value }).offline).toBe(false);
});

test("the endpoint is an address without a user name, its last slash dropped", () => {
  expect(hubSettings({}).endpoint).toBe("https://huggingface.co");
  expect(hubSettings({ HF_ENDPOINT: "https://mirror.example/hf/" }).endpoint).toBe(
    "https://mirror.example/hf",
  );
  for (const HF_ENDPOINT of ["mirror.example", "ftp://mirror.example", "https://me:secret@mirror.example"]) {
    expect(() => hubSettings({ HF_ENDPOINT })).toThrow(
      expect.objectContaining({ code: "bad-endpoint", message: expect.not.stringContaining("secret") }),
    );
  }
});
