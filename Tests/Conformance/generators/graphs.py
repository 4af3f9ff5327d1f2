"""Small graphs of several operators, as networks have them: what fusions and plans must survive."""

import numpy as np

from .draw import case, node


class Builder:
    """Nodes in a row, with the constants that they need."""

    def __init__(self, draw):
        self.draw = draw
        self.nodes = []
        self.constants = {}

    def add(self, op, inputs, outputs=None, **attributes):
        names = outputs or [f"v{len(self.nodes)}"]
        self.nodes.append(node(op, inputs, names, **attributes))
        return names[0]

    def constant(self, array):
        name = f"c{len(self.constants)}"
        self.constants[name] = np.asarray(array)
        return name


def activation(b, x, channels):
    """One of the ways in which exporters write activations."""
    kind = b.draw.integer(0, 8)
    if kind == 0:
        return b.add("Mul", [x, b.add("Sigmoid", [x])])
    if kind == 1:
        return b.add("HardSwish", [x])
    if kind == 2:
        low, high = b.constant(np.float32(0)), b.constant(np.float32(6))
        return b.add("Clip", [x, low, high])
    if kind == 3:
        three, six = b.constant(np.float32(3)), b.constant(np.float32(6))
        y = b.add("Clip", [b.add("Add", [x, three]), b.constant(np.float32(0)), six])
        return b.add("Div", [b.add("Mul", [x, y]), six])
    if kind == 4:
        return b.add("PRelu", [x, b.constant(b.draw.floats([channels, 1, 1], low=0, high=1))])
    return b.add(b.draw.one("Relu", "LeakyRelu", "Tanh", "Sigmoid", "Elu"), [x])


def convolution(b, x, source, target, kernel=3, groups=1):
    names = [x, b.constant(
        b.draw.floats([target, source // groups, kernel, kernel], low=-0.5, high=0.5))]
    if b.draw.flip():
        names.append(b.constant(b.draw.floats([target])))
    return b.add("Conv", names, pads=[kernel // 2] * 4, group=groups)


def blocks(draw):
    """Residual blocks, gates, branches that are joined, on a map [1, C, H, W]."""
    b = Builder(draw)
    channels = draw.one(4, 8, 16, 17, 32)
    value, branches = "x", ["x"]
    for _ in range(draw.integer(2, 6)):
        kind = draw.integer(0, 7)
        if kind <= 2:
            value = activation(b, convolution(b, value, channels, channels, draw.one(1, 3)), channels)
        elif kind == 3:
            value = convolution(b, value, channels, channels, 3, groups=channels)
        elif kind == 4:
            value = b.add("Add", draw.one([value, draw.one(*branches)], [draw.one(*branches), value]))
        elif kind == 5:
            gate = b.add("GlobalAveragePool", [value])
            gate = b.add("Sigmoid", [convolution(b, gate, channels, channels, 1)])
            value = b.add("Mul", [value, gate])
        elif kind == 6:
            both = b.add("Concat", [value, draw.one(*branches)], axis=1)
            value = convolution(b, both, 2 * channels, channels, 1)
        else:
            scale = {n: b.constant(draw.floats([channels], low=0.5, high=1.5)) for n in "sbmv"}
            value = b.add("BatchNormalization", [value, *scale.values()])
        branches.append(value)
    b.add("Identity", [value], ["y"])
    x = draw.floats([draw.integer(1, 2), channels, draw.integer(5, 9), draw.integer(5, 9)])
    return case(draw, b.nodes, {"x": x}, b.constants, rtol=1e-3, atol=2e-3)


def attention(draw):
    """Attention as exporters spell it out, on [B, T, C]."""
    b = Builder(draw)
    heads, width, length, batch = draw.one(1, 2, 4), draw.one(4, 8), draw.integer(1, 9), 2
    size = heads * width

    def projected(order):
        y = b.add("MatMul", ["x", b.constant(draw.floats([size, size], low=-0.5, high=0.5))])
        if draw.flip():
            y = b.add("Add", [y, b.constant(draw.floats([size]))])
        y = b.add("Reshape", [y, b.constant(np.array([0, -1, heads, width], np.int64))])
        return b.add("Transpose", [y], perm=order)

    q, k, v = projected([0, 2, 1, 3]), projected([0, 2, 3, 1]), projected([0, 2, 1, 3])
    scores = b.add("MatMul", [q, k])
    scale = b.constant(np.float32(width**0.5))
    scores = b.add("Div", [scores, scale])
    if draw.flip():
        mask = np.where(np.tri(length, dtype=bool), 0, -1e9).astype(np.float32)
        scores = b.add("Add", [scores, b.constant(mask)])
    y = b.add("MatMul", [b.add("Softmax", [scores], axis=-1), v])
    y = b.add("Transpose", [y], perm=[0, 2, 1, 3])
    y = b.add("Reshape", [y, b.constant(np.array([0, -1, size], np.int64))])
    b.add("Add", [y, "x"], ["y"])
    return case(draw, b.nodes, {"x": draw.floats([batch, length, size])}, b.constants, atol=1e-3)


def shape_arithmetic(draw):
    """Flattening by the shape itself: Shape, Gather, Unsqueeze, Concat, Reshape."""
    b = Builder(draw)
    shape = draw.shape(4, empty=0)
    extents = b.add("Shape", ["x"])
    first = b.add("Gather", [extents, b.constant(np.array(0, np.int64))], axis=0)
    first = b.add("Unsqueeze", [first, b.constant(np.array([0], np.int64))])
    target = b.add("Concat", [first, b.constant(np.array([-1], np.int64))], axis=0)
    y = b.add("Reshape", ["x", target])
    if draw.flip():
        last = b.add("Slice", [extents, *(b.constant(np.array([v], np.int64)) for v in (2, 4))])
        product = b.add("ReduceProd", [last], keepdims=0)
        y = b.add("Div", [y, b.add("Cast", [product], to=1)])
    b.add("Relu", [y], ["y"])
    return case(draw, b.nodes, {"x": draw.floats(shape)}, b.constants)


def chain(draw):
    """Element-wise operators in a random order on shapes that broadcast."""
    b = Builder(draw)
    shape = draw.shape(draw.integer(1, 6))
    values = ["x", "z"]
    for _ in range(draw.integer(2, 7)):
        kind = draw.integer(0, 3)
        if kind == 0:
            values.append(b.add(draw.one("Relu", "Tanh", "Sigmoid", "Abs", "Neg", "Erf"),
                                [draw.one(*values)]))
        elif kind == 1:
            values.append(b.add(draw.one("Add", "Mul", "Sub", "Max", "Min"),
                                [draw.one(*values), draw.one(*values)]))
        elif kind == 2:
            other = b.constant(draw.floats(draw.broadcastable(shape)))
            values.append(b.add(draw.one("Add", "Mul", "Sub"), [draw.one(*values), other]))
        else:
            order = draw.order(len(shape))
            back = [order.index(i) for i in range(len(shape))]
            turned = b.add("Relu", [b.add("Transpose", [draw.one(*values)], perm=order)])
            values.append(b.add("Transpose", [turned], perm=back))
    b.add("Add", ["x", values[-1]], ["y"])
    inputs = {"x": draw.floats(shape), "z": draw.floats(draw.broadcastable(shape))}
    return case(draw, b.nodes, inputs, b.constants, rtol=1e-3, atol=1e-3)


FAMILIES = {
    "blocks": blocks, "attention": attention, "shape_arithmetic": shape_arithmetic, "chain": chain,
}
