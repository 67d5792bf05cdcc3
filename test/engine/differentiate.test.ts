import { describe, expect, test } from "vitest";
import { gradients } from "../../src/engine/differentiate.ts";
import { type Dim, Graph, type Value } from "../../src/engine/graph.ts";
import * as op from "../../src/engine/operators.ts";
import { openSession } from "../../src/engine/session.ts";

interface Case {
  readonly name: string;
  /** Shapes of the inputs; the graph may declare other, symbolic ones. */
  readonly shapes: readonly (readonly number[])[];
  readonly declared?: readonly (readonly Dim[])[];
  /** How many inputs have a gradient, from the first on. Default: all. */
  readonly parameters?: number;
  readonly build: (x: Value, y: Value, z: Value) => Value;
}

const [a, b] = [
  [3, 4],
  [4, 2],
];

const CASES: readonly Case[] = [
  { name: "Add", shapes: [a, a], build: op.add },
  { name: "Add, a row repeated", shapes: [a, [4]], build: op.add },
  { name: "Add, a column repeated", shapes: [[3, 1], a], build: op.add },
  {
    name: "Sub, both sides repeated",
    shapes: [
      [3, 1],
      [2, 1, 4],
    ],
    build: op.sub,
  },
  { name: "Mul", shapes: [a, [4]], build: op.mul },
  { name: "Mul by itself", shapes: [a], build: (x) => op.mul(x, x) },
  { name: "Div", shapes: [a, [1, 4]], build: op.div },
  { name: "Max", shapes: [a, [4]], build: op.maximum },
  {
    name: "Where",
    shapes: [a, [4]],
    build: (x, y) => op.where(op.greater(x, y), op.mul(x, x), op.exp(y)),
  },
  { name: "Neg", shapes: [a], build: op.neg },
  { name: "Abs", shapes: [a], build: (x) => op.abs(op.sub(x, op.scalar(x, 0.9))) },
  { name: "Exp", shapes: [a], build: op.exp },
  { name: "Log", shapes: [a], build: op.log },
  { name: "Sqrt", shapes: [a], build: op.sqrt },
  { name: "Relu", shapes: [a], build: (x) => op.relu(op.sub(x, op.scalar(x, 0.9))) },
  { name: "softplus", shapes: [a], build: (x) => op.softplus(op.sub(x, op.scalar(x, 0.9))) },
  { name: "Sign and Greater, constant", shapes: [a, a], build: (x, y) => op.add(op.mul(op.sign(x), y), x) },
  { name: "Gemm", shapes: [a, b], build: (x, y) => op.gemm(x, y) },
  { name: "Gemm, left transposed", shapes: [[4, 3], b], build: (x, y) => op.gemm(x, y, { transA: true }) },
  { name: "Gemm, right transposed", shapes: [a, [2, 4]], build: (x, y) => op.gemm(x, y, { transB: true }) },
  {
    name: "Gemm, both transposed, with a bias",
    shapes: [[4, 3], [2, 4], [2]],
    build: (x, y, bias) => op.gemm(x, y, { transA: true, transB: true, bias }),
  },
  { name: "MatMul", shapes: [a, b], build: op.matmul },
  {
    name: "MatMul over repeated matrices",
    shapes: [
      [2, 1, 3, 4],
      [5, 4, 2],
    ],
    build: op.matmul,
  },
  { name: "Softmax", shapes: [a], build: op.softmax },
  { name: "ReduceSum over one axis", shapes: [[2, 3, 4]], build: (x) => op.reduceSum(x, [1]) },
  { name: "ReduceSum, axes kept", shapes: [[2, 3, 4]], build: (x) => op.reduceSum(x, [0, 2], true) },
  { name: "ReduceSum of equal axes", shapes: [[3, 3]], build: (x) => op.reduceSum(x, [0]) },
  { name: "ReduceMean", shapes: [[2, 3, 4]], build: (x) => op.reduceMean(x, [0, -1]) },
  {
    name: "ReduceMean over an axis of unknown size",
    shapes: [a],
    declared: [["B", 4]],
    build: (x) => op.reduceMean(op.mul(x, x), [0]),
  },
  { name: "Reshape", shapes: [a], build: (x) => op.reshape(x, [2, 6]) },
  { name: "Transpose", shapes: [[2, 3, 4]], build: (x) => op.transpose(x, [2, 0, 1]) },
  { name: "Expand", shapes: [[3, 1]], build: (x) => op.expand(x, [2, 3, 4]) },
  {
    name: "Expand to the shape of another value",
    shapes: [[4], a],
    parameters: 1,
    build: op.expandLike,
  },
];

// Distinct, irregular, positive: no ties, and logarithms exist.
const fill = (count: number, offset: number) =>
  Float64Array.from({ length: count }, (_, i) => 0.3 + 1.4 * Math.abs(Math.sin(1.7 * i + offset + 0.5)));
const size = (shape: readonly number[]) => shape.reduce((product, d) => product * d, 1);

describe("gradients equal central differences in f64", () => {
  test.each(CASES)("$name", async ({ shapes, declared, parameters = shapes.length, build }) => {
    const graph = new Graph();
    const [x, y, z] = shapes.map((shape, i) => graph.input(`x${i}`, "f64", declared?.[i] ?? shape));
    const result = build(x!, y!, z!);
    // A curved loss with another slope at every element: a transposed or misplaced gradient shows.
    const loss = op.reduceSum(op.mul(op.mul(result, result), op.softplus(result)));
    graph.output("loss", loss);
    const asked = [x!, y!, z!].slice(0, parameters);
    for (const [i, gradient] of gradients(loss, asked).entries()) graph.output(`d${i}`, gradient);
    const session = await openSession(graph, { threads: 1 });
    const data = shapes.map((shape, i) => fill(size(shape), i));
    const run = () =>
      session.run(Object.fromEntries(data.map((d, i) => [`x${i}`, { data: d, shape: shapes[i]! }])));
    const lossAt = async (i: number, j: number, value: number) => {
      const held = data[i]![j]!;
      data[i]![j] = value;
      const outputs = await run();
      data[i]![j] = held;
      return Number(outputs.loss!.data[0]);
    };

    const exact = await run();
    for (let i = 0; i < parameters; i++) {
      const gradient = exact[`d${i}`]!;
      expect(gradient.shape).toEqual(shapes[i]);
      for (const [j, at] of data[i]!.entries()) {
        const difference = (await lossAt(i, j, at + 1e-5)) - (await lossAt(i, j, at - 1e-5));
        const slope = difference / 2e-5;
        expect(Math.abs(Number(gradient.data[j]) - slope)).toBeLessThan(1e-8 * (1 + Math.abs(slope)));
      }
    }
    await session.close();
  });
});

async function slopeAt(build: (x: Value) => Value, at: number): Promise<number> {
  const graph = new Graph();
  const x = graph.input("x", "f64", []);
  graph.output("dx", gradients(build(x), [x])[0]!);
  const session = await openSession(graph, { threads: 1 });
  const { dx } = await session.run({ x: { data: Float64Array.of(at), shape: [] } });
  await session.close();
  return Number(dx!.data[0]);
}

test("softplus has slope one half at zero, and finite slopes far away", async () => {
  expect(await slopeAt(op.softplus, 0)).toBe(0.5);
  expect(await slopeAt(op.softplus, 1000)).toBe(1);
  expect(await slopeAt(op.softplus, -1000)).toBe(0);
});

test("a gradient passes a cast and comes back in the dtype it is asked in", async () => {
  const tripled = (x: Value) => {
    const single = op.cast(x, "f32");
    return op.cast(op.mul(single, op.scalar(single, 3)), "f64");
  };
  expect(await slopeAt(tripled, 2)).toBe(3);
});

test("a value used twice collects both gradients", async () => {
  expect(await slopeAt((x) => op.add(op.mul(x, x), op.exp(x)), 0)).toBe(1);
  expect(await slopeAt((x) => op.sub(op.mul(x, x), x), 3)).toBe(5);
});

test("nothing is built for a value whose gradient nobody asked for", () => {
  const graph = new Graph();
  const data = graph.input("data", "f32", [8, 3]);
  const weight = graph.input("weight", "f32", [2, 3]);
  const loss = op.reduceSum(op.gemm(op.exp(data), weight, { transB: true }));
  const before = graph.nodes.length;
  const [dWeight] = gradients(loss, [weight]);
  const added = graph.nodes.slice(before).map(({ opType }) => opType);
  expect(added.filter((type) => type === "Gemm")).toHaveLength(1);
  expect(dWeight!.shape).toEqual([2, 3]);
});

test("an operator without a rule is named", () => {
  const graph = new Graph();
  const x = graph.input("x", "f32", [4]);
  const loss = op.reduceSum(op.slice(x, 0, 1, 3));
  expect(() => gradients(loss, [x])).toThrow("gradients: no rule for Slice");
  const unused = graph.input("unused", "f32", [4]);
  expect(() => gradients(loss, [unused])).toThrow("gradients: the loss does not depend on unused");
  expect(() => gradients(x, [x])).toThrow("gradients: the loss must have no dimensions, got [4]");
});

test("an operator without a rule that leads to data alone is no obstacle", () => {
  const graph = new Graph();
  const data = graph.input("data", "f32", [4]);
  const weight = graph.input("weight", "f32", [2]);
  const loss = op.reduceSum(op.mul(op.slice(data, 0, 1, 3), weight));
  expect(gradients(loss, [weight])[0]!.shape).toEqual([2]);
});
