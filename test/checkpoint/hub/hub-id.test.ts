import { expect, test } from "vitest";
import { parseHubId } from "../../../src/checkpoint/hub/hub-id.ts";
import { requireSafePath } from "../../../src/checkpoint/hub/safe-path.ts";

test("a repository is org/name, at main or at the revision after @, which may hold slashes", () => {
  expect(parseHubId("RLHFlow/ArmoRM-Llama3-8B-v0.1")).toEqual({
    id: "RLHFlow/ArmoRM-Llama3-8B-v0.1",
    revision: "main",
  });
  expect(parseHubId("a/b@refs/pr/1")).toEqual({ id: "a/b", revision: "refs/pr/1" });
  expect(parseHubId("a/b@v1.0")?.revision).toBe("v1.0");
  expect(parseHubId("a_b/c.d-e@feature/x_y+z")?.revision).toBe("feature/x_y+z");
});

test.each([
  "model",
  "a/b/c",
  "/a/b",
  "./a/b",
  "../b",
  "a/..",
  "a/b@",
  "a/b@../../x",
  "a/b@x/../y",
  "a/b@/x",
  "a/b@-x",
  "a/b@x//y",
  "a/b@x y",
  "a/b@x\\y",
  "a/b@x\0",
  "a/b@x:y",
  "a/b@.hidden",
  "a/b@x.lock",
  "a--b/c",
  "a/b..c",
  "a/b.git",
  "-a/b",
  "a/b-",
  "C:/b",
  "C:\\b",
  "a\\b",
  `a/${"b".repeat(100)}`,
  "https://huggingface.co/a/b",
])("%j is no repository", (text) => {
  expect(parseHubId(text)).toBeNull();
});

test("file names from outside are plain and relative, or refused", () => {
  for (const name of ["config.json", "original/params.json", "a b/c+d.bin", ".gitattributes", "..x/y"]) {
    expect(requireSafePath(name, "a/b")).toBe(name);
  }
  const unsafe = [
    "",
    ".",
    "..",
    "../x",
    "a/../b",
    "a/./b",
    "/etc/passwd",
    "a//b",
    "a/",
    "a\\b",
    "C:x",
    "a\0b",
    7,
  ];
  for (const name of [...unsafe, undefined, null]) {
    expect(() => requireSafePath(name, "a/b")).toThrow(
      expect.objectContaining({
        code: "unsafe-path",
        message: expect.stringContaining("a/b: expected plain"),
      }),
    );
  }
});
