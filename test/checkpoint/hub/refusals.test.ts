import { rmSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import { pull } from "../../../src/checkpoint/hub/pull.ts";
import { failsWith, hub, repository, serve } from "./hub-fixture.ts";

describe("the token", () => {
  test("goes to the hub with every request, and to no other host", async () => {
    await serve({ private: ["hf_mine"] });
    vi.stubEnv("HF_TOKEN", "hf_mine");
    await pull("org/name");
    const seen = (host: string) => hub.log.filter((r) => r.host === host).map((r) => r.authorization);
    expect(new Set(seen("hub"))).toEqual(new Set(["Bearer hf_mine"]));
    expect(new Set(seen("cdn"))).toEqual(new Set([undefined]));
  });

  test.each([
    [
      "gated, nobody signed in",
      { gated: ["hf_mine"] },
      undefined,
      "gated-repository",
      /accept its licence at .*org\/name/,
    ],
    ["gated, another account", { gated: ["x"] }, "hf_mine", "gated-repository", /HF_TOKEN/],
    ["private, nobody signed in", { private: ["hf_mine"] }, undefined, "missing-repository", /set HF_TOKEN/],
    ["private, another account", { private: ["x"] }, "hf_mine", "missing-repository", /account needs access/],
    ["not known to the hub", {}, "hf_wrong", "bad-token", /unset it for public/],
  ])("%s: the error says what to do, without the token", async (_, options, token, code, remedy) => {
    await serve(options, ["hf_mine"]);
    vi.stubEnv("HF_TOKEN", token);
    const error = await pull("org/name").catch((thrown) => thrown);
    expect(error).toMatchObject({ name: "InputError", code, remedy: expect.stringMatching(remedy) });
    expect(`${error.message} ${error.remedy}`).not.toMatch(/hf_(mine|wrong)|\n/);
  });
});

describe("the hub is asked for something that is not there:", () => {
  test("a repository", async () => {
    await serve();
    const expected = failsWith("missing-repository", "a folder of that name or a repository");
    await expect(pull("org/other")).rejects.toThrow(expected);
  });

  test("a revision: the error names the default", async () => {
    await serve();
    await expect(pull("org/name@v9")).rejects.toThrow(
      expect.objectContaining({ code: "missing-revision", remedy: expect.stringContaining("main") }),
    );
  });

  test("a file that its list names", async () => {
    await serve({ extraNames: ["chat_template.jinja"] });
    await expect(pull("org/name")).rejects.toThrow(failsWith("missing-file", "chat_template.jinja"));
  });

  test("safetensors: pickles are refused before anything is downloaded", async () => {
    rmSync(join(repository, "model.safetensors"));
    await serve();
    await expect(pull("org/name")).rejects.toThrow(failsWith("pickled-weights", "pytorch_model.bin"));
    expect(hub.downloads()).toEqual([]);
    rmSync(join(repository, "pytorch_model.bin"));
    rmSync(join(repository, "original"), { recursive: true });
    await expect(pull("org/name")).rejects.toThrow(failsWith("missing-tensors"));
    rmSync(join(repository, "config.json"));
    await expect(pull("org/name")).rejects.toThrow(failsWith("missing-config"));
  });

  test("a name that is none", async () => {
    await expect(pull("name")).rejects.toThrow(failsWith("bad-hub-id"));
  });
});
