"""Writes ONNX models by hand: nodes as an exporter would leave them, weights drawn by name.

Weights time like trained ones and say nothing about accuracy. Each is drawn from
N(0, gain / fan-in), seeded by the names of network and tensor: the same on every machine, and
activations keep a sensible size from layer to layer, so that comparing outputs means something.
"""

import math
import zlib

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


class Network:
    """A graph under construction. Values are names; what adds a node returns its output's."""

    def __init__(self, name):
        self.name = name
        self._nodes, self._weights, self._inputs, self._outputs = [], [], [], []
        self._count = 0

    def input(self, name, shape, kind=TensorProto.FLOAT):
        self._inputs.append(helper.make_tensor_value_info(name, kind, shape))
        return name

    def output(self, value, name, shape):
        self._nodes.append(helper.make_node("Identity", [value], [name]))
        self._outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))

    def node(self, operator, *inputs, outputs=1, **attributes):
        """Adds a node. Arrays and numbers among the inputs become constants."""
        self._count += 1
        names = [f"{operator}_{self._count}_{i}" for i in range(outputs)]
        operands = [i if isinstance(i, str) else self.constant(i) for i in inputs]
        self._nodes.append(
            helper.make_node(operator, operands, names, f"{operator}_{self._count}", **attributes))
        return names[0] if outputs == 1 else names

    def constant(self, value, name=None):
        array = np.asarray(value)
        if array.dtype == np.float64:
            array = array.astype(np.float32)
        self._count += name is None
        name = name or f"constant_{self._count}"
        self._weights.append(numpy_helper.from_array(array, name))
        return name

    def weight(self, shape, deviation, mean=0.0):
        self._count += 1
        name = f"weight_{self._count}"
        random = np.random.default_rng(zlib.crc32(f"{self.name}/{name}".encode()))
        draw = random.standard_normal(shape, dtype=np.float32)
        return self.constant(draw * np.float32(deviation) + np.float32(mean), name)

    def convolution(self, x, inputs, outputs, kernel=1, stride=1, groups=1, gain=2.0, pad=None):
        """A convolution from `inputs` to `outputs` channels, normalisation folded into it."""
        deviation = math.sqrt(gain / (inputs // groups * kernel * kernel))
        pad = kernel // 2 if pad is None else pad
        return self.node(
            "Conv", x, self.weight((outputs, inputs // groups, kernel, kernel), deviation),
            self.weight((outputs,), 0.1), kernel_shape=[kernel] * 2, strides=[stride] * 2,
            pads=[pad] * 4, group=groups)

    def linear(self, x, inputs, outputs, gain=1.0):
        """x · W + b over the last axis, as exporters write it for any rank."""
        y = self.node("MatMul", x, self.weight((inputs, outputs), math.sqrt(gain / inputs)))
        return self.node("Add", self.weight((outputs,), 0.02), y)

    def classifier(self, x, inputs, outputs):
        return self.node(
            "Gemm", x, self.weight((outputs, inputs), math.sqrt(1 / inputs)),
            self.weight((outputs,), 0.02), transB=1)

    def swish(self, x):
        return self.node("Mul", x, self.node("Sigmoid", x))

    def gelu(self, x):
        e = self.node("Erf", self.node("Div", x, math.sqrt(2.0)))
        return self.node("Mul", self.node("Mul", x, self.node("Add", e, 1.0)), 0.5)

    def layer_normalization(self, x, count, epsilon):
        return self.node(
            "LayerNormalization", x, self.weight((count,), 0.02, 1.0), self.weight((count,), 0.02),
            axis=-1, epsilon=epsilon)

    def model(self):
        graph = helper.make_graph(
            self._nodes, self.name, self._inputs, self._outputs, self._weights)
        made = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8,
            producer_name="apus benchmarks")
        onnx.checker.check_model(made)
        return made
