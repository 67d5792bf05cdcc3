import { expect, test } from "vitest";
import { Graph } from "../../src/engine/graph.ts";
import * as op from "../../src/engine/operators.ts";
import { openSession } from "../../src/engine/session.ts";

const f32 = (data: number[], shape: number[]) => ({ data: Float32Array.from(data), shape });

test("a graph computes what its operators say, for any size of a symbolic dimension", async () => {
  const graph = new Graph();
  const x = graph.input("x", "f32", ["B", 3]);
  const w = graph.constant([1, 2, 3, 4, 5, 6], [2, 3], "f32");
  graph.output("y", op.gemm(x, w, { transB: true, bias: graph.constant([10, 20], [2], "f32") }));
  const session = await openSession(graph, { threads: 1 });
  const one = await session.run({ x: f32([1, 0, 0], [1, 3]) });
  const two = await session.run({ x: f32([1, 0, 0, 0, 1, 1], [2, 3]) });
  expect([...one.y!.data]).toEqual([11, 24]);
  expect([...two.y!.data]).toEqual([11, 24, 15, 31]);
  expect(two.y!.shape).toEqual([2, 2]);
  await session.close();
});

test("a preallocated output is written in place", async () => {
  const graph = new Graph();
  graph.output("y", op.mul(graph.input("x", "f32", [4]), graph.constant([2], [], "f32")));
  const session = await openSession(graph, { threads: 1 });
  const buffer = new Float32Array(4);
  const { y } = await session.run({ x: f32([1, 2, 3, 4], [4]) }, { y: { data: buffer, shape: [4] } });
  expect(y!.data).toBe(buffer);
  expect([...buffer]).toEqual([2, 4, 6, 8]);
  await session.close();
});

test("an input of the wrong dtype or shape is refused before it runs", async () => {
  const graph = new Graph();
  graph.output("y", op.neg(graph.input("x", "f32", ["B", 3])));
  const session = await openSession(graph, { threads: 1 });
  const wrong = { data: new Float64Array(3), shape: [1, 3] };
  await expect(session.run({ x: wrong })).rejects.toThrow("run: input x must be f32 [B, 3], got f64 [1, 3]");
  await expect(session.run({ x: f32([1, 2], [1, 2]) })).rejects.toThrow(TypeError);
  await expect(session.run({})).rejects.toThrow("run: input x is missing");
  await session.close();
});

test("softplus does not overflow, in f64", async () => {
  const graph = new Graph();
  graph.output("y", op.softplus(graph.input("x", "f64", [4])));
  const session = await openSession(graph, { threads: 1 });
  const { y } = await session.run({ x: { data: Float64Array.of(-800, -30, 0, 800), shape: [4] } });
  const [a, b, c, d] = y!.data as Float64Array;
  expect(a).toBe(0);
  expect(b).toBeCloseTo(Math.log1p(Math.exp(-30)), 14);
  expect(c).toBeCloseTo(Math.LN2, 15);
  expect(d).toBe(800);
  await session.close();
});

const shapes = (build: (graph: Graph, a: ReturnType<Graph["input"]>) => { shape: readonly unknown[] }) => {
  const graph = new Graph();
  return build(graph, graph.input("a", "f32", ["T", 6])).shape;
};

test("shapes are known while the graph is written", () => {
  expect(shapes((_, a) => op.reshape(a, ["T", 2, 3]))).toEqual(["T", 2, 3]);
  expect(shapes((_, a) => op.transpose(a))).toEqual([6, "T"]);
  expect(shapes((g, a) => op.gather(a, g.input("i", "i64", ["B", "S"])))).toEqual(["B", "S", 6]);
  expect(shapes((g, a) => op.reshape(op.gather(a, g.input("i", "i64", ["B", "S"])), ["B*S", 6]))).toEqual([
    "B*S",
    6,
  ]);
  expect(shapes((_, a) => op.reduceSum(a, [0], true))).toEqual([1, 6]);
  expect(shapes((_, a) => op.split(a, [2, 4], 1)[1]!)).toEqual(["T", 4]);
  expect(shapes((_, a) => op.padEnd(a, 1, 8))).toEqual(["T", 8]);
  expect(shapes((_, a) => op.concat([a, op.slice(a, 1, 0, 2)], 1))).toEqual(["T", 8]);
});

test("a wrong graph fails where it is written", () => {
  const graph = new Graph();
  const a = graph.input("a", "f32", ["T", 6]);
  const b = graph.input("b", "f64", ["T", 6]);
  expect(() => op.add(a, b)).toThrow("Add: operands must have one dtype, got f32 and f64");
  expect(() => op.gemm(a, graph.constant(new Float32Array(10), [5, 2]))).toThrow("inner dimensions differ");
  expect(() => op.add(a, graph.constant(new Float32Array(4), [4]))).toThrow("do not broadcast");
  expect(() => op.reshape(a, ["T", 5])).toThrow("Reshape: cannot turn [T, 6] into [T, 5]");
  expect(() => op.add(a, new Graph().input("c", "f32", [6]))).toThrow("belongs to another graph");
  expect(() => graph.constant([1, 2], [3], "f32")).toThrow("expected 3 elements for [3], got 2");
});
