// The ONNX operators that graphs here are made of. Each function checks dtypes and shapes while the graph is being
// written, and gives its result the shape that ONNX Runtime will compute. Shapes follow NumPy's broadcasting.

import { type Dim, type DType, ELEMENT_TYPES, type FloatAttribute, show, type Value } from "./graph.ts";

// --- elementwise -----------------------------------------------------------------------------------------------------

export const add = (a: Value, b: Value): Value => elementwise("Add", a, b);
export const sub = (a: Value, b: Value): Value => elementwise("Sub", a, b);
export const mul = (a: Value, b: Value): Value => elementwise("Mul", a, b);
export const div = (a: Value, b: Value): Value => elementwise("Div", a, b);
export const maximum = (a: Value, b: Value): Value => elementwise("Max", a, b);
/** `a > b`, as bool. */
export const greater = (a: Value, b: Value): Value => elementwise("Greater", a, b, "bool");

export const neg = (x: Value): Value => unary("Neg", x);
export const abs = (x: Value): Value => unary("Abs", x);
export const exp = (x: Value): Value => unary("Exp", x);
export const log = (x: Value): Value => unary("Log", x);
export const sqrt = (x: Value): Value => unary("Sqrt", x);
export const relu = (x: Value): Value => unary("Relu", x);
export const sign = (x: Value): Value => unary("Sign", x);
export const tanh = (x: Value): Value => unary("Tanh", x);

/** softplus(x) = log(1 + eˣ) = max(x, 0) + log(1 + e^−|x|): it does not overflow, and has kernels in f32 and f64. */
export function softplus(x: Value): Value {
  return add(maximum(x, scalar(x, 0)), log(add(exp(neg(abs(x))), scalar(x, 1))));
}

/** `condition ? a : b`, elementwise, broadcasting. */
export function where(condition: Value, a: Value, b: Value): Value {
  sameDType("Where", a, b);
  if (condition.dtype !== "bool")
    throw new TypeError(`Where: condition must be bool, got ${condition.dtype}`);
  const shape = broadcast("Where", broadcast("Where", condition.shape, a.shape), b.shape);
  return one(a, "Where", [condition, a, b], a.dtype, shape);
}

export function cast(x: Value, dtype: DType): Value {
  if (x.dtype === dtype) return x;
  return one(x, "Cast", [x], dtype, x.shape, { to: ELEMENT_TYPES[dtype] });
}

/** A constant of the dtype of `like`, with no dimensions: it broadcasts over anything. */
export function scalar(like: Value, value: number): Value {
  return like.graph.constant([value], [], like.dtype);
}

// --- products --------------------------------------------------------------------------------------------------------

/**
 * `a′ · b′ (+ bias)` for matrices, where ′ transposes if asked.
 *
 * `a` is `[M, K]` (`[K, M]` with `transA`), `b` is `[K, N]` (`[N, K]` with `transB`, as linear layers are stored),
 * `bias` broadcasts to `[M, N]`.
 */
export function gemm(
  a: Value,
  b: Value,
  { bias, transA = false, transB = false }: { bias?: Value; transA?: boolean; transB?: boolean } = {},
): Value {
  sameDType("Gemm", a, b);
  hasRank("Gemm", a, 2);
  hasRank("Gemm", b, 2);
  const [m, k] = transA ? [a.shape[1]!, a.shape[0]!] : [a.shape[0]!, a.shape[1]!];
  const [k2, n] = transB ? [b.shape[1]!, b.shape[0]!] : [b.shape[0]!, b.shape[1]!];
  if (k !== k2)
    throw new TypeError(`Gemm: inner dimensions differ, got ${show(a.shape)} and ${show(b.shape)}`);
  if (bias) {
    sameDType("Gemm", a, bias);
    const wide = broadcast("Gemm", [m, n], bias.shape);
    if (show(wide) !== show([m, n]))
      throw new TypeError(`Gemm: bias ${show(bias.shape)} does not fit ${show([m, n])}`);
  }
  const attributes = { ...(transA ? { transA: 1 } : {}), ...(transB ? { transB: 1 } : {}) };
  return one(a, "Gemm", bias ? [a, b, bias] : [a, b], a.dtype, [m, n], attributes);
}

/** Matrix product over the last two axes; leading axes broadcast. */
export function matmul(a: Value, b: Value): Value {
  sameDType("MatMul", a, b);
  if (a.shape.length < 2 || b.shape.length < 2) {
    throw new TypeError(`MatMul: expected at least 2 axes, got ${show(a.shape)} and ${show(b.shape)}`);
  }
  if (a.shape.at(-1) !== b.shape.at(-2)) {
    throw new TypeError(`MatMul: inner dimensions differ, got ${show(a.shape)} and ${show(b.shape)}`);
  }
  const lead = broadcast("MatMul", a.shape.slice(0, -2), b.shape.slice(0, -2));
  return one(a, "MatMul", [a, b], a.dtype, [...lead, a.shape.at(-2)!, b.shape.at(-1)!]);
}

// --- reductions ------------------------------------------------------------------------------------------------------

/** Softmax over the last axis. */
export const softmax = (x: Value): Value => one(x, "Softmax", [x], x.dtype, x.shape, { axis: -1 });

/** Sum over the given axes (all, if none is given). */
export const reduceSum = (x: Value, axes?: readonly number[], keepDims = false): Value =>
  reduce("ReduceSum", x, axes, keepDims);

/** Mean over the given axes (all, if none is given). */
export const reduceMean = (x: Value, axes?: readonly number[], keepDims = false): Value =>
  reduce("ReduceMean", x, axes, keepDims);

// --- layout ----------------------------------------------------------------------------------------------------------

/**
 * The same elements under another shape. Symbolic dimensions must be the same ones on both sides, `"B*S"` standing for
 * `"B"` and `"S"`; one of them may be in another place than before.
 */
export function reshape(x: Value, shape: readonly Dim[]): Value {
  const [from, to] = [elements(x.shape), elements(shape)];
  if (from.count !== to.count || from.symbols !== to.symbols) {
    throw new TypeError(`Reshape: cannot turn ${show(x.shape)} into ${show(shape)}`);
  }
  // ONNX takes 0 for a dimension that stays in its place, and −1 for one that follows from the others.
  const dims = shape.map((d, axis) => (typeof d === "number" ? d : d === x.shape[axis] ? 0 : -1));
  if (dims.filter((d) => d === -1).length > 1) {
    throw new TypeError(`Reshape: at most one symbolic dimension may move, got ${show(shape)}`);
  }
  return one(x, "Reshape", [x, x.graph.constant(dims, [dims.length], "i64")], x.dtype, shape);
}

/**
 * `x` itself, but computed only once `after` is there. It costs no copy.
 *
 * What depends on constants alone would otherwise all be computed before a run's first real operator.
 *
 * @param x A tensor whose shape is numbers.
 */
export function computedAfter(x: Value, after: Value): Value {
  const rank = after.shape.length;
  const shape = x.graph.constant(x.shape.map(Number), [x.shape.length], "i64");
  const both = one(
    x,
    "Concat",
    [one(after, "Shape", [after], "i64", [rank]), shape],
    "i64",
    [rank + x.shape.length],
    { axis: 0 },
  );
  const own = slice(both, 0, rank, rank + x.shape.length);
  return one(x, "Reshape", [x, own], x.dtype, x.shape);
}

/** Axes in another order; default: reversed. */
export function transpose(x: Value, order = x.shape.map((_, axis) => x.shape.length - 1 - axis)): Value {
  if ([...order].sort((a, b) => a - b).some((axis, i) => axis !== i) || order.length !== x.shape.length) {
    throw new TypeError(`Transpose: ${show(order)} is no order of ${x.shape.length} axes`);
  }
  const shape = order.map((axis) => x.shape[axis]!);
  return one(x, "Transpose", [x], x.dtype, shape, { perm: order });
}

/** Rows of `x` along `axis`; the axis is replaced by the shape of `indices`. */
export function gather(x: Value, indices: Value, axis = 0): Value {
  if (indices.dtype !== "i64" && indices.dtype !== "i32") {
    throw new TypeError(`Gather: indices must be i64 or i32, got ${indices.dtype}`);
  }
  const at = axisOf("Gather", x, axis);
  const shape = [...x.shape.slice(0, at), ...indices.shape, ...x.shape.slice(at + 1)];
  return one(x, "Gather", [x, indices], x.dtype, shape, { axis: at });
}

/** Values one after another along `axis`; the other axes are equal. Along the axis all dimensions are numbers. */
export function concat(values: readonly Value[], axis: number): Value {
  const [first] = values;
  if (!first) throw new TypeError("Concat: expected at least one value, got none");
  const at = axisOf("Concat", first, axis);
  let size = 0;
  for (const value of values) {
    sameDType("Concat", first, value);
    const same = value.shape.every((d, i) => i === at || d === first.shape[i]);
    if (value.shape.length !== first.shape.length || !same) {
      throw new TypeError(`Concat: ${show(first.shape)} and ${show(value.shape)} differ outside axis ${at}`);
    }
    size += fixed("Concat", value, at);
  }
  return one(first, "Concat", values, first.dtype, replaceDim(first.shape, at, size), { axis: at });
}

/** Parts of the given sizes along `axis`. */
export function split(x: Value, sizes: readonly number[], axis: number): Value[] {
  const at = axisOf("Split", x, axis);
  const total = sizes.reduce((sum, size) => sum + size, 0);
  if (total !== fixed("Split", x, at)) {
    throw new TypeError(`Split: sizes ${show(sizes)} do not add up to axis ${at} of ${show(x.shape)}`);
  }
  const outputs = sizes.map((size) => ({ dtype: x.dtype, shape: replaceDim(x.shape, at, size) }));
  return x.graph.node("Split", [x, x.graph.constant(sizes, [sizes.length], "i64")], outputs, { axis: at });
}

/** The elements `start … end − 1` along `axis`. */
export function slice(x: Value, axis: number, start: number, end: number): Value {
  const at = axisOf("Slice", x, axis);
  const size = fixed("Slice", x, at);
  if (!(0 <= start && start <= end && end <= size)) {
    throw new RangeError(`Slice: [${start}, ${end}) is outside axis ${at} of ${show(x.shape)}`);
  }
  const bounds = [start, end, at].map((n) => x.graph.constant([n], [1], "i64"));
  return one(x, "Slice", [x, ...bounds], x.dtype, replaceDim(x.shape, at, end - start));
}

/** Appends zeros along `axis` until it has `size` elements. */
export function padEnd(x: Value, axis: number, size: number): Value {
  const at = axisOf("Pad", x, axis);
  const missing = size - fixed("Pad", x, at);
  if (missing < 0) throw new RangeError(`Pad: axis ${at} of ${show(x.shape)} is longer than ${size}`);
  if (missing === 0) return x;
  const pads = Array.from({ length: 2 * x.shape.length }, (_, i) =>
    i === x.shape.length + at ? missing : 0,
  );
  const amounts = x.graph.constant(pads, [pads.length], "i64");
  return one(x, "Pad", [x, amounts], x.dtype, replaceDim(x.shape, at, size));
}

/** `x` repeated along axes of size 1 (or new leading axes) until it has the given shape of numbers. */
export function expand(x: Value, shape: readonly number[]): Value {
  const wide = broadcast("Expand", x.shape, shape);
  if (show(wide) !== show(shape)) throw new TypeError(`Expand: ${show(x.shape)} does not fit ${show(shape)}`);
  return one(x, "Expand", [x, x.graph.constant(shape, [shape.length], "i64")], x.dtype, shape);
}

/** `x` repeated as `expand` does, up to the shape that `like` has when the graph runs. */
export function expandLike(x: Value, like: Value): Value {
  const wide = broadcast("Expand", x.shape, like.shape);
  if (show(wide) !== show(like.shape))
    throw new TypeError(`Expand: ${show(x.shape)} does not fit ${show(like.shape)}`);
  const shape = one(like, "Shape", [like], "i64", [like.shape.length]);
  return one(x, "Expand", [x, shape], x.dtype, like.shape);
}

// --- checks ----------------------------------------------------------------------------------------------------------

/** The shape two operands have together, as NumPy broadcasts. */
export function broadcast(op: string, a: readonly Dim[], b: readonly Dim[]): Dim[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const [x, y] = [a[a.length - rank + i] ?? 1, b[b.length - rank + i] ?? 1];
    if (x !== y && x !== 1 && y !== 1)
      throw new TypeError(`${op}: ${show(a)} and ${show(b)} do not broadcast`);
    return x === 1 ? y : x;
  });
}

/** Number of elements: a numeric factor, and the symbolic factors in a canonical order. */
function elements(shape: readonly Dim[]): { count: number; symbols: string } {
  const symbols = shape.filter((d) => typeof d === "string").flatMap((d) => d.split("*"));
  const count = shape.reduce<number>((product, d) => (typeof d === "number" ? product * d : product), 1);
  return { count, symbols: symbols.sort().join("*") };
}

function one(
  of: Value,
  opType: string,
  inputs: readonly (Value | null)[],
  dtype: DType,
  shape: readonly Dim[],
  attributes: Record<string, number | string | readonly number[] | FloatAttribute> = {},
): Value {
  return of.graph.node(opType, inputs, [{ dtype, shape }], attributes)[0]!;
}

function elementwise(op: string, a: Value, b: Value, dtype = a.dtype): Value {
  sameDType(op, a, b);
  return one(a, op, [a, b], dtype, broadcast(op, a.shape, b.shape));
}

const unary = (op: string, x: Value): Value => one(x, op, [x], x.dtype, x.shape);

function reduce(op: string, x: Value, axes: readonly number[] | undefined, keepDims: boolean): Value {
  const over = new Set((axes ?? x.shape.map((_, axis) => axis)).map((axis) => axisOf(op, x, axis)));
  const shape = x.shape.flatMap((d, axis) => (over.has(axis) ? (keepDims ? [1] : []) : [d]));
  const list = x.graph.constant([...over], [over.size], "i64");
  return one(x, op, [x, list], x.dtype, shape, { keepdims: keepDims ? 1 : 0 });
}

function sameDType(op: string, a: Value, b: Value): void {
  if (a.dtype !== b.dtype)
    throw new TypeError(`${op}: operands must have one dtype, got ${a.dtype} and ${b.dtype}`);
}

function hasRank(op: string, x: Value, rank: number): void {
  if (x.shape.length !== rank) throw new TypeError(`${op}: expected ${rank} axes, got ${show(x.shape)}`);
}

function axisOf(op: string, x: Value, axis: number): number {
  const at = axis < 0 ? axis + x.shape.length : axis;
  if (!(at >= 0 && at < x.shape.length)) throw new RangeError(`${op}: ${show(x.shape)} has no axis ${axis}`);
  return at;
}

function fixed(op: string, x: Value, axis: number): number {
  const d = x.shape[axis];
  if (typeof d !== "number") throw new TypeError(`${op}: axis ${axis} of ${show(x.shape)} must be a number`);
  return d;
}

const replaceDim = (shape: readonly Dim[], axis: number, d: Dim): Dim[] => shape.with(axis, d);
