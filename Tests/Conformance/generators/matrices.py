"""Matrix products, normalisations and recurrent layers."""

import numpy as np

from .draw import case, node

EXTENTS = (1, 2, 3, 5, 8, 15, 16, 17, 33, 64)


def product(draw):
    """MatMul with vectors, batches and broadcast batches."""
    k, m, n = (draw.one(*EXTENTS) for _ in range(3))
    batch = draw.shape(draw.integer(0, 3), high=3)
    a = [*batch, m, k] if draw.flip(0.85) else [k]
    b = [*draw.broadcastable(batch), k, n] if draw.flip(0.85) else [k]
    dtype = draw.one(np.float32, np.float32, np.float32, np.float64, np.int32, np.int64)
    inputs, constants = {"a": draw.array(a, dtype, -4, 4)}, {}
    draw.maybe_constant("b", draw.array(b, dtype, -4, 4), inputs, constants)
    return case(draw, [node("MatMul", ["a", "b"])], inputs, constants, atol=1e-3)


def gemm(draw):
    k, m, n = (draw.one(*EXTENTS) for _ in range(3))
    turned_a, turned_b = int(draw.flip(0.3)), int(draw.flip())
    inputs = {"a": draw.floats([k, m] if turned_a else [m, k])}
    constants = {}
    draw.maybe_constant(
        "b", draw.floats([n, k] if turned_b else [k, n]), inputs, constants, 0.7)
    names = ["a", "b"]
    if draw.flip(0.7):
        draw.maybe_constant(
            "c", draw.floats(draw.one([m, n], [n], [1, n], [m, 1], [1], [])), inputs, constants)
        names.append("c")
    return case(
        draw,
        [node("Gemm", names, transA=turned_a, transB=turned_b,
              alpha=draw.one(None, 0.5), beta=draw.one(None, 2.0))],
        inputs, constants, atol=1e-3)


def integer_product(draw):
    k, m, n = (draw.one(*EXTENTS) for _ in range(3))
    a = draw.array([m, k], draw.one(np.uint8, np.int8), -128, 255)
    b = draw.array([k, n], np.int8 if a.dtype == np.int8 else draw.one(np.uint8, np.int8), -128, 255)
    inputs, names = {"a": a, "b": b}, ["a", "b"]
    if draw.flip(0.7):
        inputs["az"] = np.array(draw.integer(0, 100), a.dtype)
        inputs["bz"] = np.array(draw.integer(0, 100), b.dtype)
        names += ["az", "bz"]
    return case(draw, [node("MatMulInteger", names)], inputs)


def einsum(draw):
    equation, shapes = draw.one(
        ("ij,jk->ik", ([3, 4], [4, 5])), ("bij,bjk->bik", ([2, 3, 4], [2, 4, 5])),
        ("bhid,bhjd->bhij", ([2, 2, 3, 4], [2, 2, 5, 4])), ("ij->ji", ([3, 4],)),
        ("ii->i", ([4, 4],)), ("i,j->ij", ([3], [4])), ("...ij,...jk->...ik", ([2, 3, 4], [4, 2])),
        ("ij->", ([3, 4],)), ("bik,kj->bij", ([2, 3, 4], [4, 5])))
    names = "ab"[: len(shapes)]
    inputs = {n: draw.floats(s) for n, s in zip(names, shapes)}
    return case(draw, [node("Einsum", list(names), equation=equation)], inputs, atol=1e-4)


def layer_normalization(draw):
    shape = draw.shape(draw.integer(2, 4), high=18, empty=0)
    axis = draw.integer(0, len(shape) - 1)
    # One element has no deviation: its result is a matter of rounding.
    shape[-1] = max(shape[-1], 3)
    inputs = {"x": draw.floats(shape)}
    constants = {"s": draw.floats(shape[axis:]), "b": draw.floats(shape[axis:])}
    names = ["x", "s", "b"][: draw.integer(2, 3)]
    constants = {n: constants[n] for n in names[1:]}
    return case(
        draw,
        [node("LayerNormalization", names, axis=draw.one(axis, axis - len(shape)), epsilon=1e-4)],
        inputs, constants, rtol=1e-3, atol=1e-4)


def normalization(draw):
    name = draw.one("BatchNormalization", "InstanceNormalization", "GroupNormalization", "LRN")
    channels = draw.one(2, 4, 16)
    x = draw.floats([draw.integer(1, 3), channels, *draw.integers(draw.integer(1, 3), 3, 8)])
    if name == "LRN":
        return case(draw, [node("LRN", ["x"], size=draw.one(3, 5), alpha=0.01, beta=0.6, bias=1.2)],
                    {"x": x})
    parameters = {"s": draw.floats([channels]), "b": draw.floats([channels])}
    attributes = {}
    if name == "BatchNormalization":
        parameters["m"] = draw.floats([channels])
        parameters["v"] = draw.floats([channels], low=0.1, high=2)
    if name == "GroupNormalization":
        attributes["num_groups"] = draw.one(1, 2)
    inputs, constants = {"x": x}, {}
    for key, value in parameters.items():
        draw.maybe_constant(key, value, inputs, constants, 0.9)
    return case(
        draw, [node(name, ["x", *parameters], **attributes)], inputs, constants,
        rtol=1e-3, atol=1e-4)


def recurrent(draw):
    name, gates = draw.one(("RNN", 1), ("GRU", 3), ("LSTM", 4))
    length, batch, width, hidden = (draw.integer(1, 6) for _ in range(4))
    direction = draw.one("forward", "reverse", "bidirectional")
    count = 2 if direction == "bidirectional" else 1
    inputs = {"x": draw.floats([length, batch, width])}
    constants = {}
    draw.maybe_constant(
        "w", draw.floats([count, gates * hidden, width], low=-1, high=1), inputs, constants, 0.8)
    draw.maybe_constant(
        "r", draw.floats([count, gates * hidden, hidden], low=-1, high=1), inputs, constants, 0.8)
    names = ["x", "w", "r", "", "", ""]
    if draw.flip():
        constants["b"] = draw.floats([count, 2 * gates * hidden], low=-1, high=1)
        names[3] = "b"
    if draw.flip(0.3):
        inputs["n"] = np.array(draw.integers(batch, 1, length), np.int32)
        names[4] = "n"
    if draw.flip(0.4):
        inputs["h"] = draw.floats([count, batch, hidden])
        names[5] = "h"
    while names[-1] == "":
        names.pop()
    attributes = {"hidden_size": hidden, "direction": direction}
    if name == "GRU":
        attributes["linear_before_reset"] = int(draw.flip())
    outputs = ["y", "yh", "yc"] if name == "LSTM" else ["y", "yh"]
    return case(draw, [node(name, names, outputs, **attributes)], inputs, constants,
                outputs=outputs, atol=1e-4)


FAMILIES = {
    "product": product, "gemm": gemm, "integer_product": integer_product, "einsum": einsum,
    "layer_normalization": layer_normalization, "normalization": normalization,
    "recurrent": recurrent,
}
