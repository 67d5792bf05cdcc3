import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";

const session = new URL("../../dist/engine/session.js", import.meta.url);
const graph = new URL("../../dist/engine/graph.js", import.meta.url);

test("ONNX Runtime runs without telemetry: it leaves no device id in the home folder", () => {
  const home = mkdtempSync(join(tmpdir(), "armorm-home-"));
  const program = `
    import { Graph } from "${graph}";
    import { openSession } from "${session}";
    const graph = new Graph();
    graph.output("y", graph.input("x", "f32", [1]));
    const session = await openSession(graph);
    await session.run({ x: { data: new Float32Array(1), shape: [1] } });
    await session.close();`;
  // A CI variable would switch telemetry off by itself.
  execFileSync(process.execPath, ["--input-type=module", "-e", program], {
    env: { PATH: process.env.PATH ?? "", HOME: home },
  });
  expect(readdirSync(home, { recursive: true })).toEqual([]);
  rmSync(home, { recursive: true });
});
