"""Operators that move elements, and those that quantise them."""

import numpy as np

from .draw import case, node

TYPES = (np.float32, np.float32, np.int64, np.int32, np.uint8, np.float16, np.float64, np.bool_)


def transpose(draw):
    shape = draw.shape()
    order = draw.order(len(shape)) if draw.flip(0.85) else None
    return case(
        draw, [node("Transpose", ["x"], perm=order)],
        {"x": draw.array(shape, draw.one(*TYPES))})


def reshape(draw):
    shape = draw.shape(draw.integer(1, 5))
    count = int(np.prod(shape))
    wanted = [draw.integer(1, 3) for _ in range(draw.integer(0, 3))]
    while wanted and count % max(int(np.prod(wanted)), 1):
        wanted.pop()
    wanted.insert(draw.integer(0, len(wanted)), -1)
    if 0 in shape:
        wanted = list(reversed(shape))
    inputs, constants = {"x": draw.array(shape, draw.one(*TYPES))}, {}
    draw.maybe_constant("s", np.array(wanted, np.int64), inputs, constants)
    return case(draw, [node("Reshape", ["x", "s"], allowzero=int(0 in shape))], inputs, constants)


def squeeze(draw):
    shape = draw.shape(draw.integer(1, 4))
    x = draw.array(shape, draw.one(*TYPES))
    inputs, constants = {"x": x}, {}
    places = [i for i, extent in enumerate(shape) if extent == 1]
    # An empty list of axes means none to the standard, and all to ONNX Runtime.
    if not places or draw.flip():
        rank = len(shape) + 2
        axes = [a - rank if draw.flip(0.3) else a for a in draw.order(rank)[:2]]
        draw.maybe_constant("axes", np.array(axes, np.int64), inputs, constants)
        return case(draw, [node("Unsqueeze", ["x", "axes"])], inputs, constants)
    axes = np.array(draw.some(places, least=1), np.int64)
    draw.maybe_constant("axes", axes, inputs, constants)
    return case(draw, [node("Squeeze", ["x", "axes"])], inputs, constants)


def concat(draw):
    shape = draw.shape(draw.integer(1, 5))
    axis, dtype = draw.integer(0, len(shape) - 1), draw.one(*TYPES)
    inputs = {}
    for index in range(draw.integer(1, 4)):
        part = list(shape)
        part[axis] = draw.integer(0, 5)
        inputs[f"x{index}"] = draw.array(part, dtype)
    return case(
        draw, [node("Concat", list(inputs), axis=draw.one(axis, axis - len(shape)))], inputs)


def split(draw):
    shape = draw.shape(draw.integer(1, 4), empty=0)
    axis = draw.integer(0, len(shape) - 1)
    count = draw.integer(1, 3)
    parts = draw.integers(count, 0, 4)
    shape[axis] = sum(parts)
    outputs = [f"y{i}" for i in range(count)]
    inputs, constants = {"x": draw.array(shape, draw.one(*TYPES))}, {}
    draw.maybe_constant("s", np.array(parts, np.int64), inputs, constants)
    return case(draw, [node("Split", ["x", "s"], outputs, axis=axis)], inputs, constants,
                outputs=outputs)


def slice_(draw):
    shape = draw.shape(draw.integer(1, 5))
    axes = draw.some(range(len(shape)), least=1)
    steps = [draw.one(1, 1, 2, 3, -1, -2) for _ in axes]
    starts = [draw.integer(-9, 9) for _ in axes]
    ends = [draw.one(draw.integer(-9, 9), 2**62, -(2**62)) for _ in axes]
    inputs, constants = {"x": draw.array(shape, draw.one(*TYPES))}, {}
    for name, values in (("starts", starts), ("ends", ends), ("axes", axes), ("steps", steps)):
        draw.maybe_constant(name, np.array(values, np.int64), inputs, constants, 0.8)
    return case(draw, [node("Slice", ["x", "starts", "ends", "axes", "steps"])], inputs, constants)


def pad(draw):
    shape = draw.shape(draw.integer(1, 4), empty=0)
    mode = draw.one("constant", "constant", "edge", "reflect", "wrap")
    low = -1 if mode == "constant" else 0
    pads = [
        draw.integer(low, 3 if mode == "constant" else min(2, shape[i % len(shape)] - 1))
        for i in range(2 * len(shape))]
    if mode == "constant":
        pads = [p if shape[i % len(shape)] > 2 else abs(p) for i, p in enumerate(pads)]
    dtype = draw.one(np.float32, np.int64, np.float64, np.int32)
    inputs, constants, names = {"x": draw.array(shape, dtype)}, {}, ["x", "pads"]
    draw.maybe_constant("pads", np.array(pads, np.int64), inputs, constants)
    if mode == "constant" and draw.flip():
        draw.maybe_constant("v", np.array(3, dtype), inputs, constants)
        names.append("v")
    return case(draw, [node("Pad", names, mode=mode)], inputs, constants)


def tile(draw):
    if draw.flip():
        shape = draw.shape(draw.integer(1, 4), high=4)
        inputs, constants = {"x": draw.array(shape, draw.one(*TYPES[:5]))}, {}
        draw.maybe_constant(
            "r", np.array(draw.integers(len(shape), 1, 3), np.int64), inputs, constants)
        return case(draw, [node("Tile", ["x", "r"])], inputs, constants)
    shape = draw.shape(draw.integer(1, 5), high=4)
    inputs, constants = {"x": draw.array(draw.broadcastable(shape), draw.one(*TYPES[:5]))}, {}
    draw.maybe_constant("s", np.array(shape, np.int64), inputs, constants)
    return case(draw, [node("Expand", ["x", "s"])], inputs, constants)


def gather(draw):
    shape = draw.shape(draw.integer(1, 4), empty=0)
    axis = draw.integer(0, len(shape) - 1)
    x = draw.array(shape, draw.one(*TYPES))
    kind = draw.one("Gather", "Gather", "GatherElements", "GatherND")
    if kind == "GatherND":
        depth = draw.integer(1, len(shape))
        tuples = np.stack(
            [draw.array([3, 2], np.int64, -shape[i], shape[i] - 1) for i in range(depth)], -1)
        return case(draw, [node(kind, ["x", "i"])], {"x": x, "i": tuples})
    if kind == "GatherElements":
        places = [draw.integer(1, extent) for extent in shape]
        places[axis] = draw.integer(1, 6)
    else:
        places = draw.shape(draw.integer(0, 2), high=4)
    dtype = draw.one(np.int64, np.int32)
    inputs, constants = {"x": x}, {}
    draw.maybe_constant(
        "i", draw.array(places, dtype, -shape[axis], shape[axis] - 1), inputs, constants)
    return case(draw, [node(kind, ["x", "i"], axis=axis)], inputs, constants)


def scatter(draw):
    shape = draw.shape(draw.integer(1, 3), empty=0)
    axis = draw.integer(0, len(shape) - 1)
    x = draw.floats(shape)
    reduction = draw.one("none", "add", "mul", "max", "min")
    if draw.flip():
        count = draw.integer(1, shape[axis])
        # Without a reduction no place may be written twice.
        places = draw.order(shape[axis])[:count]
        others = [draw.integer(1, e) for e in shape]
        others[axis] = count
        index = np.moveaxis(
            np.broadcast_to(
                np.array(places), [*[e for i, e in enumerate(others) if i != axis], count]),
            -1, axis).astype(np.int64)
        return case(
            draw, [node("ScatterElements", ["x", "i", "u"], axis=axis, reduction=reduction)],
            {"x": x, "i": np.ascontiguousarray(index), "u": draw.floats(others)})
    count = draw.integer(1, shape[0])
    index = np.array(draw.order(shape[0])[:count], np.int64).reshape(count, 1)
    return case(
        draw, [node("ScatterND", ["x", "i", "u"], reduction=reduction)],
        {"x": x, "i": index, "u": draw.floats([count, *shape[1:]])})


def fill(draw):
    kind = draw.one("Range", "ConstantOfShape", "OneHot", "EyeLike", "Trilu")
    if kind == "Range":
        dtype = draw.one(np.int64, np.float32, np.int32)
        inputs, constants = {}, {}
        for name, value in (("a", 1), ("b", draw.integer(-9, 20)), ("c", draw.one(1, 2, 3, -1))):
            draw.maybe_constant(name, np.array(value, dtype), inputs, constants, 0.3)
        inputs.setdefault("unused", np.zeros(1, np.float32))
        return case(draw, [node("Range", ["a", "b", "c"])], inputs, constants)
    if kind == "ConstantOfShape":
        return case(draw, [node(kind, ["s"])], {"s": np.array(draw.shape(3), np.int64)})
    if kind == "OneHot":
        inputs = {"i": draw.array(draw.shape(2), np.int64, -6, 5)}
        constants = {"v": np.array([2, 7], np.float32)}
        draw.maybe_constant("d", np.array(6, np.int64), inputs, constants)
        return case(draw, [node(kind, ["i", "d", "v"], axis=draw.one(-1, 0, 1))], inputs, constants)
    x = draw.floats(draw.shape(2 if kind == "EyeLike" else draw.integer(2, 4)))
    if kind == "EyeLike":
        return case(draw, [node(kind, ["x"], k=draw.integer(-2, 2))], {"x": x})
    return case(
        draw, [node(kind, ["x", "k"], upper=int(draw.flip()))],
        {"x": x, "k": np.array(draw.integer(-3, 3), np.int64)})


def quantization(draw):
    shape = draw.shape(draw.integer(1, 4), high=9)
    axis = draw.integer(0, len(shape) - 1)
    dtype = draw.one(np.uint8, np.int8)
    count = [shape[axis]] if draw.flip() else []
    constants = {
        "s": draw.floats(count, low=0.01, high=0.2),
        "z": draw.array(count, dtype, -50, 50)}
    nodes = [node("QuantizeLinear", ["x", "s", "z"], ["q"], axis=axis)]
    if draw.flip():
        return case(
            draw, nodes, {"x": draw.floats(shape)}, constants, outputs=["q"], steps=1)
    nodes = [node("DequantizeLinear", ["q", "s", "z"], axis=axis)]
    return case(draw, nodes, {"q": draw.array(shape, dtype, -128, 255)}, constants)


FAMILIES = {
    "transpose": transpose, "reshape": reshape, "squeeze": squeeze, "concat": concat,
    "split": split, "slice": slice_, "pad": pad, "tile": tile, "gather": gather,
    "scatter": scatter, "fill": fill, "quantization": quantization,
}
