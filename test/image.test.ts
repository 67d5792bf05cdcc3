import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const ROOT = join(import.meta.dirname, "..");

const run = (command: string, args: readonly string[]) =>
  spawnSync(command, args, { cwd: ROOT, encoding: "utf8" });

/** A container engine that answers, and can get the image that ours builds on. */
function findEngine(): string | null {
  const base = /^ARG NODE_IMAGE=(\S+)$/m.exec(readFileSync(join(ROOT, "Dockerfile"), "utf8"))![1]!;
  const works = (engine: string) =>
    run(engine, ["info"]).status === 0 && run(engine, ["pull", "--quiet", base]).status === 0;
  return ["docker", "podman"].find(works) ?? null;
}

const engine = findEngine();

test("what lies beside the model that armorm brings with it gets into no image and no package", () => {
  const dockerfile = readFileSync(join(ROOT, "Dockerfile"), "utf8");
  const copied = [...dockerfile.matchAll(/^COPY --from=build \/src\/(\S+)/gm)].map((match) => match[1]!);
  expect(copied.filter((path) => path.startsWith("models"))).toEqual(["models/tiny"]);
  const ignored = readFileSync(join(ROOT, ".dockerignore"), "utf8").split("\n");
  expect(ignored).toEqual(expect.arrayContaining(["models/*", "!models/tiny"]));
  const { files } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { files: string[] };
  expect(files.filter((path) => path.startsWith("models"))).toEqual(["models/tiny"]);
});

test.skipIf(engine === null)(
  "the image builds, and armorm runs in it (skipped: no container engine, or no base image)",
  { timeout: 900_000 },
  () => {
    const built = run(engine!, ["build", "--quiet", "--tag", "armorm-test", "."]);
    expect(built, built.stderr).toMatchObject({ status: 0 });
    const doctor = run(engine!, ["run", "--rm", "armorm-test", "doctor"]);
    expect(doctor.stdout).toContain("armorm runs here");
    expect(run(engine!, ["image", "rm", "armorm-test"]).status).toBe(0);
  },
);
