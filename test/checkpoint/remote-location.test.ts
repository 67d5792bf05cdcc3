import { describe, expect, test } from "vitest";
import { locateCheckpoint, storedLocation } from "../../src/checkpoint/location.ts";
import { formatRemoteLocation, parseRemoteLocation } from "../../src/checkpoint/remote-location.ts";
import { InputError } from "../../src/errors.ts";

describe("the location of a remote engine", () => {
  test("names an engine, endpoints, settings and the checkpoint", () => {
    const text =
      "vllm+http://gpu1:8000,gpu2:8001/v1,https://gpu3/llm/?pooling=step:128009&model=a%2Fb&dtype=bf16&in-flight=4&batch-tokens=99&timeout=7#org/name@v1";
    expect(parseRemoteLocation(text)).toEqual({
      engine: "vllm",
      endpoints: ["http://gpu1:8000", "http://gpu2:8001", "https://gpu3/llm"],
      settings: {
        pooling: "step:128009",
        model: "a/b",
        dtype: "bf16",
        inFlight: 4,
        batchTokens: 99,
        timeoutS: 7,
      },
      checkpoint: "org/name@v1",
    });
  });

  test("is written as it is read", () => {
    for (const text of [
      "vllm+http://gpu1:8000#tiny",
      "llama-server+http://a:1,http://b:2?pooling=all#/some/where else#too",
      `vllm+https://h?pooling=step:7&model=m%26n&fingerprint=${"0a".repeat(32)}#org/name`,
    ]) {
      expect(formatRemoteLocation(parseRemoteLocation(text)!)).toBe(text);
    }
  });

  test.each(["org/name", "tiny", "/a/b", "C:\\a", "./vllm+http", "https://host:8000#tiny"])(
    "is not %s",
    (text) => {
      expect(parseRemoteLocation(text)).toBeNull();
    },
  );

  test.each([
    ["sglang+http://host#tiny", "vllm or llama-server"],
    ["vllm+ftp://host#tiny", "vllm or llama-server"],
    ["vllm+http://host:8000", "behind #, got none"],
    ["vllm+http://host#", "behind #, got none"],
    ["vllm+http://host#vllm+http://host#tiny", "got another address"],
    ["vllm+http://a,,b#tiny", "with commas between"],
    ["vllm+http://host?poling=last#tiny", "got poling"],
    ["vllm+http://host?pooling=mean#tiny", "pooling to have one of its values, got mean"],
    ["vllm+http://host?in-flight=0#tiny", "got 0"],
    ["vllm+http://host?fingerprint=abc#tiny", "got abc"],
  ])("is refused where it is %s", (text, message) => {
    expect(() => parseRemoteLocation(text)).toThrow(InputError);
    expect(() => parseRemoteLocation(text)).toThrow(message);
  });

  test("has no user and no password, and an error does not repeat them", () => {
    const read = () => parseRemoteLocation("vllm+https://me:secret@host#tiny");
    expect(read).toThrow("without a user name");
    expect(read).not.toThrow(/secret|me:/);
  });

  test("is located as the checkpoint that it serves, and stored so that it is found from anywhere", async () => {
    const located = await locateCheckpoint("vllm+http://host:1#models/tiny");
    expect(located).toMatchObject({ checkpoint: "models/tiny", name: "vllm+http://host:1#models/tiny" });
    expect(located.directory).toBe("models/tiny");
    expect(await storedLocation("vllm+http://host:1/v1?pooling=all#models/tiny")).toBe(
      `vllm+http://host:1?pooling=all#${process.cwd()}/models/tiny`,
    );
    expect(await storedLocation("llama-server+http://host:1#tiny")).toBe("llama-server+http://host:1#tiny");
  });
});
