"""Convolutions, pools, resizing and what else looks at neighbours."""

import numpy as np

from .draw import case, node


def padding(draw, attributes, kernel):
    """Draws pads or an auto_pad into `attributes`."""
    way = draw.one("none", "pads", "pads", "SAME_UPPER", "SAME_LOWER", "VALID")
    if way == "pads":
        attributes["pads"] = [draw.integer(0, k - 1) for k in kernel + kernel]
    elif way != "none":
        attributes["auto_pad"] = way


def convolution(draw):
    axes = draw.one(1, 2, 2, 2, 3)
    groups = draw.one(1, 1, 2, 3, 4)
    depthwise = draw.flip(0.25)
    inner = 1 if depthwise else draw.one(1, 2, 3, 5, 8, 16, 17)
    outer = draw.one(1, 1, 2) if depthwise else draw.one(1, 2, 3, 7, 16, 33)
    groups = draw.one(3, 8, 16, 19) if depthwise else groups
    kernel = draw.integers(axes, 1, 5 if axes < 3 else 3)
    attributes = {"kernel_shape": kernel if draw.flip() else None, "group": groups}
    padding(draw, attributes, kernel)
    if draw.flip():
        attributes["strides"] = draw.integers(axes, 1, 3)
    if draw.flip(0.3):
        attributes["dilations"] = draw.integers(axes, 1, 3)
        if attributes.get("auto_pad", "").startswith("SAME"):
            attributes.pop("auto_pad")
    extents = draw.integers(axes, 5, 19 if axes < 3 else 8)
    inputs = {"x": draw.floats([draw.integer(1, 3), inner * groups, *extents])}
    constants = {}
    draw.maybe_constant("w", draw.floats([outer * groups, inner, *kernel]), inputs, constants, 0.8)
    names = ["x", "w"]
    if draw.flip(0.6):
        draw.maybe_constant("b", draw.floats([outer * groups]), inputs, constants, 0.8)
        names.append("b")
    return case(draw, [node("Conv", names, **attributes)], inputs, constants, atol=1e-3)


def transposed_convolution(draw):
    axes = draw.one(1, 2, 2, 3)
    groups = draw.one(1, 1, 2, 3)
    inner, outer = draw.one(1, 2, 5, 8), draw.one(1, 2, 3, 17)
    kernel = draw.integers(axes, 1, 4)
    strides = draw.integers(axes, 1, 3)
    attributes = {"group": groups, "strides": strides}
    way = draw.one("none", "pads", "output_shape", "output_padding")
    extents = draw.integers(axes, 2, 8 if axes < 3 else 4)
    if way == "pads":
        attributes["pads"] = [draw.integer(0, (k - 1) // 2) for k in kernel + kernel]
    elif way == "output_shape":
        attributes["output_shape"] = [
            (e - 1) * s + k - draw.integer(0, k - 1) for e, s, k in zip(extents, strides, kernel)]
        attributes["auto_pad"] = draw.one("SAME_UPPER", "SAME_LOWER", None)
    elif way == "output_padding":
        attributes["output_padding"] = [draw.integer(0, s - 1) for s in strides]
    if draw.flip(0.25) and way != "output_shape":
        attributes["dilations"] = draw.integers(axes, 1, 2)
    inputs = {"x": draw.floats([draw.integer(1, 2), inner * groups, *extents])}
    constants = {}
    draw.maybe_constant("w", draw.floats([inner * groups, outer, *kernel]), inputs, constants, 0.8)
    names = ["x", "w"]
    if draw.flip():
        constants["b"] = draw.floats([outer * groups])
        names.append("b")
    return case(draw, [node("ConvTranspose", names, **attributes)], inputs, constants, atol=1e-3)


def pool(draw):
    name = draw.one("MaxPool", "AveragePool", "AveragePool", "LpPool")
    axes = draw.one(1, 2, 2, 2, 3)
    kernel = draw.integers(axes, 1, 4)
    attributes = {"kernel_shape": kernel}
    padding(draw, attributes, kernel)
    if draw.flip(0.7):
        attributes["strides"] = draw.integers(axes, 1, 3)
    if draw.flip():
        attributes["ceil_mode"] = 1
    if name == "AveragePool" and draw.flip():
        attributes["count_include_pad"] = 1
    # LpPool's and average pooling's dilations came with opset 18 and 19.
    if draw.flip(0.25) and "auto_pad" not in attributes:
        attributes["dilations"] = draw.integers(axes, 1, 2)
    if name == "LpPool":
        attributes["p"] = draw.integer(1, 3)
        if "pads" in attributes:
            attributes.pop("ceil_mode", None)
    dtype = draw.one(np.float32, np.float32, np.float64, np.int8, np.uint8)
    dtype = dtype if name == "MaxPool" else np.float32
    extents = draw.integers(axes, 5, 13 if axes < 3 else 7)
    x = draw.array([draw.integer(1, 2), draw.one(1, 3, 16, 17), *extents], dtype)
    outputs = ["y", "i"] if name == "MaxPool" and draw.flip(0.3) else ["y"]
    return case(
        draw, [node(name, ["x"], outputs, **attributes)], {"x": x}, outputs=outputs, atol=1e-4)


def global_pool(draw):
    name = draw.one("GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool")
    x = draw.floats([draw.integer(1, 3), draw.one(1, 5, 16), *draw.integers(draw.integer(1, 3), 1, 9)])
    return case(draw, [node(name, ["x"])], {"x": x}, atol=1e-4)


def resize(draw):
    mode = draw.one("nearest", "linear", "cubic")
    axes = 2 if mode == "cubic" else draw.one(1, 2, 2, 3)
    x = draw.floats([1, draw.one(1, 3, 16), *draw.integers(axes, 2, 9)])
    attributes = {
        "mode": mode,
        "coordinate_transformation_mode": draw.one(
            "half_pixel", "half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel"),
    }
    if mode == "nearest":
        attributes["nearest_mode"] = draw.one(
            "round_prefer_floor", "round_prefer_ceil", "floor", "ceil")
    if mode == "cubic":
        attributes["cubic_coeff_a"] = draw.one(-0.5, -0.75)
        attributes["exclude_outside"] = int(draw.flip(0.3))
    constants = {}
    # With align_corners and scales whose result is no whole number, ONNX Runtime rounds first; the
    # standard's own examples do not.
    by_scales = attributes["coordinate_transformation_mode"] != "align_corners" and draw.flip()
    if by_scales:
        constants["scales"] = np.array(
            [1, 1, *(draw.one(0.5, 0.75, 1.5, 2, 2.6, 3) for _ in range(axes))], np.float32)
        names = ["x", "", "scales"]
    else:
        constants["sizes"] = np.array([*x.shape[:2], *draw.integers(axes, 1, 17)], np.int64)
        names = ["x", "", "", "sizes"]
    return case(draw, [node("Resize", names, **attributes)], {"x": x}, constants, atol=1e-4)


def grid_sample(draw):
    x = draw.floats([2, draw.one(1, 3), draw.integer(2, 7), draw.integer(2, 7)])
    grid = draw.floats([2, draw.integer(1, 6), draw.integer(1, 6), 2], low=-1.2, high=1.2)
    return case(
        draw,
        [node(
            "GridSample", ["x", "grid"], mode=draw.one("linear", "nearest", "cubic"),
            padding_mode=draw.one("zeros", "border", "reflection"),
            align_corners=int(draw.flip()))],
        {"x": x, "grid": grid}, atol=1e-3)


def depth_space(draw):
    size = draw.integer(2, 3)
    if draw.flip():
        x = draw.floats([draw.integer(1, 2), draw.integer(1, 3) * size * size, 3, 4])
        return case(
            draw, [node("DepthToSpace", ["x"], blocksize=size, mode=draw.one("DCR", "CRD"))],
            {"x": x})
    x = draw.floats([draw.integer(1, 2), draw.integer(1, 5), 2 * size, 3 * size])
    return case(draw, [node("SpaceToDepth", ["x"], blocksize=size)], {"x": x})


def quantized_convolution(draw):
    """QuantizeLinear → DequantizeLinear → Conv → QuantizeLinear, as quantising tools write it."""
    channels, outer, kernel = draw.one(3, 8, 16), draw.one(4, 16, 18), draw.one(1, 3)
    scale = {"xs": np.float32(0.02), "xz": np.uint8(draw.integer(0, 255)),
             "ys": np.float32(0.1), "yz": np.uint8(128),
             "w": draw.array([outer, channels, kernel, kernel], np.int8, -127, 127),
             "ws": draw.floats([outer], low=0.001, high=0.01), "wz": np.zeros(outer, np.int8)}
    x = draw.floats([1, channels, draw.integer(4, 9), draw.integer(4, 9)])
    nodes = [
        node("QuantizeLinear", ["x", "xs", "xz"], ["xq"]),
        node("DequantizeLinear", ["xq", "xs", "xz"], ["xf"]),
        node("DequantizeLinear", ["w", "ws", "wz"], ["wf"], axis=0),
        node("Conv", ["xf", "wf"], ["c"], pads=[kernel // 2] * 4,
             strides=draw.integers(2, 1, 2)),
        node("QuantizeLinear", ["c", "ys", "yz"], ["y"]),
    ]
    return case(draw, nodes, {"x": x}, scale, steps=1)


FAMILIES = {
    "convolution": convolution, "transposed_convolution": transposed_convolution, "pool": pool,
    "global_pool": global_pool, "resize": resize, "grid_sample": grid_sample,
    "depth_space": depth_space, "quantized_convolution": quantized_convolution,
}
