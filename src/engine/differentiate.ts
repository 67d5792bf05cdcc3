/*
 * Reverse-mode differentiation: the gradients of a graph, as more nodes of the same graph.
 *
 *   x, y  input and output of a node
 *   dx    ∂loss/∂x, of the shape of x
 */

import { type Node, show, type Value } from "./graph.ts";
import * as op from "./operators.ts";

/**
 * Adds the nodes that compute ∂loss/∂p for every p asked for.
 *
 * What no p asks for is not built: there is no gradient for data, nor for the path that leads only to data.
 *
 * @param loss A value without dimensions, f32 or f64.
 * @param withRespectTo Inputs or intermediate values of the graph, of the loss's kind.
 * @returns One value per p, of p's shape and dtype.
 * @throws {TypeError} If the loss is no scalar, does not depend on a p, or depends on it through an operator without a
 *   rule: `gradients: no rule for Gather; it lies between the loss and a parameter`.
 *
 * Ties: Relu has slope 0 at 0, Abs slope 0, and Max gives half to each side.
 */
export function gradients(loss: Value, withRespectTo: readonly Value[]): Value[] {
  if (loss.shape.length > 0) {
    throw new TypeError(`gradients: the loss must have no dimensions, got ${show(loss.shape)}`);
  }
  const nodes = [...loss.graph.nodes];
  const wanted = dependents(nodes, withRespectTo);
  const adjoints = new Map<Value, Value>([[loss, op.scalar(loss, 1)]]);

  for (const node of nodes.reverse()) {
    if (!node.outputs.some((y) => wanted.has(y) && adjoints.has(y))) continue;
    const rule = node.domain === "" ? RULES[node.opType] : undefined;
    if (!rule) {
      throw new TypeError(`gradients: no rule for ${node.opType}; it lies between the loss and a parameter`);
    }
    const parts = rule(node, adjoints.get(result(node))!); // every operator with a rule has one output
    for (const [i, x] of node.inputs.entries()) {
      const part = parts[i];
      if (!x || !part || !wanted.has(x)) continue;
      const dx = part();
      const others = adjoints.get(x);
      adjoints.set(x, others ? op.add(others, dx) : dx);
    }
  }

  return withRespectTo.map((value) => {
    const gradient = adjoints.get(value);
    if (!gradient) throw new TypeError(`gradients: the loss does not depend on ${value.name}`);
    return gradient;
  });
}

/** The values that a change of any of `sources` can change. */
function dependents(nodes: readonly Node[], sources: readonly Value[]): Set<Value> {
  const changed = new Set(sources);
  for (const { inputs, outputs } of nodes) {
    if (inputs.some((x) => x && changed.has(x))) for (const y of outputs) changed.add(y);
  }
  return changed;
}

/** dx for each input of a node, built only when it is called. Inputs without one carry no gradient. */
type Rule = (node: Node, dy: Value) => readonly (Part | undefined)[];
type Part = () => Value;

const RULES: Readonly<Record<string, Rule>> = {
  Add: (node, dy) => binary(node, [() => dy, () => dy]),
  Sub: (node, dy) => binary(node, [() => dy, () => op.neg(dy)]),
  Mul: (node, dy) => {
    const [a, b] = operands(node);
    return binary(node, [() => op.mul(dy, b), () => op.mul(dy, a)]);
  },
  Div: (node, dy) => {
    const [, b] = operands(node);
    return binary(node, [() => op.div(dy, b), () => op.neg(op.mul(dy, op.div(result(node), b)))]);
  },
  // Half to each side of a tie: this is what gives softplus its slope of ½ at 0.
  Max: (node, dy) => {
    const [a, b] = operands(node);
    const half = op.mul(dy, op.scalar(dy, 0.5));
    const swing = () => op.mul(half, op.sign(op.sub(a, b)));
    return binary(node, [() => op.add(half, swing()), () => op.sub(half, swing())]);
  },
  Where: (node, dy) => {
    const [condition, a, b] = node.inputs as [Value, Value, Value];
    const zero = op.scalar(dy, 0);
    return [
      undefined,
      () => sumTo(op.where(condition, dy, zero), a),
      () => sumTo(op.where(condition, zero, dy), b),
    ];
  },

  Neg: (_, dy) => [() => op.neg(dy)],
  Abs: (node, dy) => [() => op.mul(dy, op.sign(operand(node)))],
  Exp: (node, dy) => [() => op.mul(dy, result(node))],
  Log: (node, dy) => [() => op.div(dy, operand(node))],
  Sqrt: (node, dy) => [() => op.div(dy, op.add(result(node), result(node)))],
  Relu: (node, dy) => [() => op.where(op.greater(result(node), op.scalar(dy, 0)), dy, op.scalar(dy, 0))],
  Cast: (node, dy) => [() => op.cast(dy, operand(node).dtype)],
  // Constant wherever they have a slope.
  Sign: () => [],
  Greater: () => [],

  Gemm: gemmRule,
  MatMul: (node, dy) => {
    const [a, b] = operands(node);
    return binary(node, [() => op.matmul(dy, swapLast(b)), () => op.matmul(swapLast(a), dy)]);
  },

  // dx = y · (dy − Σ y·dy)
  Softmax: (node, dy) => [
    () => {
      const y = result(node);
      return op.mul(y, op.sub(dy, op.reduceSum(op.mul(y, dy), [-1], true)));
    },
  ],
  ReduceSum: (node, dy) => [() => op.expandLike(withReducedAxes(node, dy), operand(node))],
  ReduceMean: (node, dy) => [
    () => {
      const x = operand(node);
      const share = op.div(countOf(result(node)), countOf(x));
      return op.expandLike(withReducedAxes(node, op.mul(dy, share)), x);
    },
  ],

  Reshape: (node, dy) => [() => op.reshape(dy, operand(node).shape)],
  Transpose: (node, dy) => [
    () => {
      const order = node.attributes.perm as readonly number[];
      const inverse = order.map((_, axis) => order.indexOf(axis));
      return op.transpose(dy, inverse);
    },
  ],
  Expand: (node, dy) => [() => sumTo(dy, operand(node))],
};

// y = a′ · b′ + c, where ′ transposes if asked: da′ = dy · b′ᵀ, db′ = a′ᵀ · dy.
function gemmRule(node: Node, dy: Value): (Part | undefined)[] {
  const { transA, transB, ...scales } = node.attributes;
  if (Object.keys(scales).length > 0) {
    throw new TypeError(`gradients: no rule for Gemm with ${Object.keys(scales).join(" and ")}`);
  }
  const [a, b, bias] = node.inputs as [Value, Value, Value?];
  const [flipA, flipB] = [transA === 1, transB === 1];
  return [
    () =>
      flipA
        ? op.gemm(b, dy, { transA: flipB, transB: true })
        : op.gemm(dy, b, { transA: false, transB: !flipB }),
    () =>
      flipB
        ? op.gemm(dy, a, { transA: true, transB: flipA })
        : op.gemm(a, dy, { transA: !flipA, transB: false }),
    bias && (() => sumTo(dy, bias)),
  ];
}

const result = (node: Node): Value => node.outputs[0]!;
const operand = (node: Node): Value => node.inputs[0]!;
const operands = (node: Node): [Value, Value] => [node.inputs[0]!, node.inputs[1]!];

/** Two operands that broadcast: each gradient is summed over what its operand was repeated along. */
function binary(node: Node, [da, db]: readonly [Part, Part]): Part[] {
  const [a, b] = operands(node);
  return [() => sumTo(da(), a), () => sumTo(db(), b)];
}

/** Undoes broadcasting: sums `dy` over the axes along which `like` was repeated. */
function sumTo(dy: Value, like: Value): Value {
  const extra = dy.shape.length - like.shape.length;
  const repeated = dy.shape.flatMap((d, axis) =>
    axis >= extra && like.shape[axis - extra] === 1 && d !== 1 ? [axis] : [],
  );
  const leading = Array.from({ length: extra }, (_, axis) => axis);
  const kept = repeated.length > 0 ? op.reduceSum(dy, repeated, true) : dy;
  return leading.length > 0 ? op.reduceSum(kept, leading) : kept;
}

/** `dy` of a reduction, with its reduced axes back as axes of size 1. */
function withReducedAxes(node: Node, dy: Value): Value {
  if (node.attributes.keepdims === 1) return dy;
  const x = operand(node);
  const axes = new Set(x.graph.integers(node.inputs[1]!));
  return op.reshape(
    dy,
    x.shape.map((d, axis) => (axes.has(axis) ? 1 : d)),
  );
}

/** The number of elements when the graph runs, as a scalar of the value's dtype. */
function countOf(x: Value): Value {
  return op.cast(x.graph.node("Size", [x], [{ dtype: "i64", shape: [] }])[0]!, x.dtype);
}

function swapLast(x: Value): Value {
  const order = x.shape.map((_, axis) => axis);
  const rank = order.length;
  [order[rank - 2], order[rank - 1]] = [rank - 1, rank - 2];
  return op.transpose(x, order);
}
