"""Operators that shrink an axis, or look along one."""

import numpy as np

from .draw import case, node

REDUCTIONS = (
    "ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2",
    "ReduceLogSum", "ReduceLogSumExp", "ReduceSumSquare")


def reduction(draw):
    name = draw.one(*REDUCTIONS)
    dtype = draw.one(np.float32, np.float32, np.float64, np.int32, np.int64)
    if name in ("ReduceLogSum", "ReduceLogSumExp", "ReduceL2"):
        dtype = np.float32
    shape = draw.shape(empty=0)
    low = 0.1 if name == "ReduceLogSum" else -3
    x = draw.floats(shape, low=low, high=3) if np.dtype(dtype).kind == "f" else None
    x = draw.array(shape, dtype, -3, 3) if x is None else x.astype(dtype)
    inputs, constants, names = {"x": x}, {}, ["x"]
    if draw.flip(0.8):
        axes = [a - len(shape) if draw.flip(0.3) else a for a in draw.some(range(len(shape)))]
        draw.maybe_constant("axes", np.array(axes, np.int64), inputs, constants, 0.6)
        names.append("axes")
    return case(
        draw,
        [node(name, names, keepdims=int(draw.flip()), noop_with_empty_axes=int(draw.flip(0.2)))],
        inputs, constants, rtol=1e-3, atol=1e-4)


def arg_reduction(draw):
    shape = draw.shape(draw.integer(1, 5), empty=0)
    x = np.round(draw.floats(shape))
    rank = len(shape)
    return case(
        draw,
        [node(draw.one("ArgMax", "ArgMin"), ["x"], axis=draw.integer(-rank, rank - 1),
              keepdims=int(draw.flip()), select_last_index=int(draw.flip(0.3)))],
        {"x": x})


def softmax(draw):
    shape = draw.shape(draw.integer(1, 5), high=20, empty=0)
    name = draw.one("Softmax", "LogSoftmax", "Hardmax")
    return case(
        draw, [node(name, ["x"], axis=draw.integer(-len(shape), len(shape) - 1))],
        {"x": draw.floats(shape, low=-9, high=9)}, opset=draw.one(13, 21), atol=1e-5)


def top_k(draw):
    shape = draw.shape(draw.integer(1, 4), high=12, empty=0)
    axis = draw.integer(0, len(shape) - 1)
    # No two elements are equal: the order of equal ones is not defined where not sorted.
    x = draw.random.permutation(int(np.prod(shape))).reshape(shape).astype(
        draw.one(np.float32, np.int64))
    inputs, constants = {"x": x}, {}
    draw.maybe_constant("k", np.array([draw.integer(0, shape[axis])], np.int64), inputs, constants)
    return case(
        draw, [node("TopK", ["x", "k"], ["y", "i"], axis=axis, largest=int(draw.flip()))],
        inputs, constants, outputs=["y", "i"])


def cumulative_sum(draw):
    shape = draw.shape(draw.integer(1, 4), empty=0)
    inputs, constants = {"x": draw.array(shape, draw.one(np.float32, np.int64, np.int32))}, {}
    axis = np.array(draw.integer(-len(shape), len(shape) - 1), np.int64)
    draw.maybe_constant("axis", axis, inputs, constants)
    return case(
        draw, [node("CumSum", ["x", "axis"], exclusive=int(draw.flip()), reverse=int(draw.flip()))],
        inputs, constants, atol=1e-4)


def lp_normalization(draw):
    shape = draw.shape(draw.integer(1, 4), empty=0)
    return case(
        draw,
        [node("LpNormalization", ["x"], axis=draw.integer(-len(shape), len(shape) - 1),
              p=draw.integer(1, 2))],
        {"x": draw.floats(shape, low=0.5, high=3)})


def non_zero(draw):
    x = draw.array(draw.shape(draw.integer(1, 4)), draw.one(np.int64, np.float32, np.bool_), -1, 1)
    return case(draw, [node("NonZero", ["x"])], {"x": np.round(x) if x.dtype == np.float32 else x})


def non_maximum_suppression(draw):
    boxes = draw.floats([1, draw.integer(1, 20), 4], low=0, high=1)
    scores = draw.random.permutation(boxes.shape[1] * 2).reshape(1, 2, -1).astype(np.float32) / 40
    constants = {
        "n": np.array([draw.integer(0, 10)], np.int64),
        "iou": np.array([draw.one(0.1, 0.5)], np.float32),
        "least": np.array([0.2], np.float32)}
    return case(
        draw,
        [node("NonMaxSuppression", ["boxes", "scores", "n", "iou", "least"],
              center_point_box=int(draw.flip()))],
        {"boxes": boxes, "scores": scores}, constants)


FAMILIES = {
    "reduction": reduction, "arg_reduction": arg_reduction, "softmax": softmax, "top_k": top_k,
    "cumulative_sum": cumulative_sum, "lp_normalization": lp_normalization, "non_zero": non_zero,
    "non_maximum_suppression": non_maximum_suppression,
}
