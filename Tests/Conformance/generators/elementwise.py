"""Operators that work element by element, with broadcasting."""

import numpy as np

from .draw import case, node

FLOATS = (np.float32, np.float32, np.float32, np.float64, np.float16)
INTEGERS = (np.int64, np.int32, np.int8, np.uint8)

# Operators of one operand, with the range that they are asked about.
UNARY = {
    "Abs": (-9, 9), "Acos": (-1, 1), "Acosh": (1, 9), "Asin": (-1, 1), "Asinh": (-9, 9),
    "Atan": (-9, 9), "Atanh": (-0.99, 0.99), "Ceil": (-9, 9), "Cos": (-9, 9), "Cosh": (-5, 5),
    "Elu": (-5, 5), "Erf": (-4, 4), "Exp": (-9, 9), "Floor": (-9, 9), "Gelu": (-6, 6),
    "HardSigmoid": (-6, 6), "HardSwish": (-6, 6), "LeakyRelu": (-6, 6), "Log": (0.01, 9),
    "Mish": (-6, 6), "Neg": (-9, 9), "Reciprocal": (0.1, 9), "Relu": (-9, 9), "Round": (-9, 9),
    "Selu": (-6, 6), "Shrink": (-3, 3), "Sigmoid": (-9, 9), "Sign": (-9, 9), "Sin": (-9, 9),
    "Sinh": (-5, 5), "Softplus": (-9, 9), "Softsign": (-9, 9), "Sqrt": (0, 9), "Tan": (-1.4, 1.4),
    "Tanh": (-6, 6), "ThresholdedRelu": (-6, 6), "Celu": (-6, 6), "IsNaN": (-1, 1),
    "IsInf": (-1, 1),
}
ALPHA = ("Elu", "LeakyRelu", "ThresholdedRelu", "Celu", "HardSigmoid", "Selu")


def unary(draw):
    name = draw.one(*UNARY)
    low, high = UNARY[name]
    x = draw.floats(draw.shape(), draw.one(*FLOATS[:4]), low, high)
    if name in ("IsNaN", "IsInf") and x.size:
        x.flat[draw.integer(0, x.size - 1)] = draw.one(np.nan, np.inf, -np.inf)
    attributes = {}
    if name in ALPHA and draw.flip():
        attributes["alpha"] = float(draw.floats((), low=0.1, high=1.5))
    if name == "Gelu":
        attributes["approximate"] = draw.one("none", "tanh")
    if name == "Shrink":
        attributes = {"lambd": 0.7, "bias": float(draw.floats((), low=0, high=0.5))}
    return case(draw, [node(name, ["x"], **attributes)], {"x": x}, atol=2e-5)


def binary(draw):
    name = draw.one("Add", "Sub", "Mul", "Div", "Pow", "Max", "Min", "Mod", "PRelu")
    dtype = np.dtype(draw.one(*FLOATS, *INTEGERS))
    if name in ("Pow", "PRelu") and dtype.itemsize < 4:
        dtype = np.dtype(np.float32)
    shape = draw.shape()
    a = draw.array(shape, dtype)
    b = draw.array(draw.broadcastable(shape), dtype)
    attributes = {}
    if name in ("Div", "Mod"):
        b = np.where(b == 0, np.ones((), dtype), b).astype(dtype)
    if name == "Mod":
        attributes["fmod"] = int(dtype.kind == "f" or draw.flip())
    if name == "Pow":
        a, b = np.abs(a) + np.ones((), dtype), np.abs(b) % np.array(4, dtype)
    # Powers of integers that overflow have no defined result.
    if draw.flip() and name not in ("PRelu", "Pow"):
        a, b = b, a
        if name in ("Div", "Mod"):
            b = np.where(b == 0, np.ones((), dtype), b).astype(dtype)
    inputs, constants = {"a": a}, {}
    draw.maybe_constant("b", b, inputs, constants)
    loose = dtype == np.float16
    return case(
        draw, [node(name, ["a", "b"], **attributes)], inputs, constants,
        rtol=2e-3 if loose else 1e-4, atol=2e-3 if loose else 1e-5)


def comparison(draw):
    name = draw.one("Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual")
    dtype = draw.one(np.float32, np.float64, np.int64, np.int32)
    shape = draw.shape()
    a = draw.array(shape, dtype, -2, 2)
    b = draw.array(draw.broadcastable(shape), dtype, -2, 2)
    if np.dtype(dtype).kind == "f":
        a, b = np.round(a), np.round(b)
    return case(draw, [node(name, ["a", "b"])], {"a": a, "b": b})


def logic(draw):
    shape = draw.shape()
    a, b = draw.array(shape, bool), draw.array(draw.broadcastable(shape), bool)
    name = draw.one("And", "Or", "Xor")
    return case(
        draw, [node(name, ["a", "b"], ["c"]), node("Not", ["c"])], {"a": a, "b": b})


def bits(draw):
    shape, dtype = draw.shape(), draw.one(np.uint8, np.uint32, np.uint64, np.int32)
    a, b = draw.array(shape, dtype, 0, 200), draw.array(draw.broadcastable(shape), dtype, 0, 7)
    if np.dtype(dtype).kind == "u" and draw.flip():
        return case(
            draw, [node("BitShift", ["a", "b"], direction=draw.one("LEFT", "RIGHT"))],
            {"a": a, "b": b})
    name = draw.one("BitwiseAnd", "BitwiseOr", "BitwiseXor")
    return case(draw, [node(name, ["a", "b"], ["c"]), node("BitwiseNot", ["c"])],
                {"a": a, "b": b})


def variadic(draw):
    name = draw.one("Sum", "Mean", "Max", "Min")
    shape, count = draw.shape(), draw.integer(1, 4)
    names = [f"x{i}" for i in range(count)]
    inputs = {
        n: draw.floats(shape if i == 0 else draw.broadcastable(shape))
        for i, n in enumerate(names)
    }
    return case(draw, [node(name, names)], inputs)


def select(draw):
    shape, dtype = draw.shape(), draw.one(np.float32, np.int64, np.uint8, np.int32)
    inputs = {
        "c": draw.array(draw.broadcastable(shape), bool),
        "a": draw.array(shape, dtype),
        "b": draw.array(draw.broadcastable(shape), dtype),
    }
    return case(draw, [node("Where", ["c", "a", "b"])], inputs)


def clip(draw):
    dtype = np.dtype(draw.one(np.float32, np.float64, np.int32, np.int64, np.int8, np.uint8))
    x = draw.array(draw.shape(), dtype)
    inputs, constants = {"x": x}, {}
    names = ["x"]
    for name, value in (("low", 1), ("high", 5)):
        if draw.flip(0.7):
            draw.maybe_constant(name, np.array(value, dtype), inputs, constants, 0.7)
            names.append(name)
        else:
            names.append("")
    while names[-1] == "":
        names.pop()
    return case(draw, [node("Clip", names)], inputs, constants)


def cast(draw):
    import onnx

    kinds = {
        np.float32: onnx.TensorProto.FLOAT, np.float64: onnx.TensorProto.DOUBLE,
        np.float16: onnx.TensorProto.FLOAT16, np.int64: onnx.TensorProto.INT64,
        np.int32: onnx.TensorProto.INT32, np.int16: onnx.TensorProto.INT16,
        np.int8: onnx.TensorProto.INT8, np.uint8: onnx.TensorProto.UINT8,
        np.uint16: onnx.TensorProto.UINT16, np.uint32: onnx.TensorProto.UINT32,
        np.uint64: onnx.TensorProto.UINT64, np.bool_: onnx.TensorProto.BOOL,
    }
    source, target = draw.one(*kinds), draw.one(*kinds)
    # Floats outside of an integer's range have no defined result.
    x = draw.array(draw.shape(), source, 0, 100)
    return case(draw, [node("Cast", ["x"], to=kinds[target])], {"x": x}, rtol=1e-3)


FAMILIES = {
    "unary": unary, "binary": binary, "comparison": comparison, "logic": logic, "bits": bits,
    "variadic": variadic, "select": select, "clip": clip, "cast": cast,
}
