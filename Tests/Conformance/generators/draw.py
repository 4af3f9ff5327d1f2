"""What generators share: random draws, and models made of nodes and arrays."""

import dataclasses

import numpy as np
import onnx
from onnx import helper, numpy_helper

OPSET = 21


@dataclasses.dataclass
class Case:
    """A model, what it is given, and how far results may lie apart."""

    model: onnx.ModelProto
    inputs: dict
    rtol: float = 1e-4
    atol: float = 1e-5
    # Elements that may differ by one step: results of rounding to integers.
    steps: int = 0


class Draw:
    """A source of random decisions."""

    def __init__(self, seed, number):
        self.random = np.random.default_rng([seed, number])

    def flip(self, chance=0.5):
        return bool(self.random.random() < chance)

    def integer(self, low, high):
        """An integer from low to high, both included."""
        return int(self.random.integers(low, high + 1))

    def integers(self, count, low, high):
        return [self.integer(low, high) for _ in range(count)]

    def one(self, *choices):
        return choices[self.integer(0, len(choices) - 1)]

    def some(self, choices, least=0):
        """A random subset in random order."""
        count = self.integer(least, len(choices))
        return [choices[i] for i in self.random.permutation(len(choices))[:count]]

    def order(self, count):
        return [int(i) for i in self.random.permutation(count)]

    def shape(self, rank=None, high=7, empty=0.03):
        """Extents; now and then one of them is 0."""
        rank = self.integer(0, 6) if rank is None else rank
        high = min(high, 4) if rank > 4 else high
        extents = self.integers(rank, 1, high)
        if rank and self.flip(empty):
            extents[self.integer(0, rank - 1)] = 0
        return extents

    def floats(self, shape, dtype=np.float32, low=-3.0, high=3.0):
        return self.random.uniform(low, high, shape).astype(dtype)

    def array(self, shape, dtype, low=-20, high=20):
        """Elements of any type; integers stay in their range."""
        dtype = np.dtype(dtype)
        if dtype == np.bool_:
            return self.random.integers(0, 2, shape).astype(bool)
        if dtype.kind in "iu":
            info = np.iinfo(dtype)
            return self.random.integers(
                max(low, info.min), min(high, info.max) + 1, shape).astype(dtype)
        return self.random.uniform(max(low, -9), min(high, 9), shape).astype(dtype)

    def broadcastable(self, shape):
        """A shape that broadcasts to this one: axes left out in front, others set to 1."""
        kept = shape[self.integer(0, len(shape)):]
        return [1 if self.flip(0.3) else extent for extent in kept]

    def maybe_constant(self, name, array, inputs, constants, chance=0.5):
        """Puts an array either among the inputs or among the constants of the model."""
        (constants if self.flip(chance) else inputs)[name] = array


def node(op, inputs, outputs=("y",), domain="", **attributes):
    attributes = {k: v for k, v in attributes.items() if v is not None and v != []}
    return helper.make_node(op, list(inputs), list(outputs), domain=domain, **attributes)


def model(nodes, inputs, constants=None, outputs=("y",), opset=OPSET, open_shapes=False):
    """A model of nodes; inputs and constants are arrays by name."""
    constants = constants or {}
    graph = helper.make_graph(
        list(nodes), "case",
        [
            helper.make_tensor_value_info(
                name, helper.np_dtype_to_tensor_dtype(array.dtype),
                [f"{name}{axis}" for axis in range(array.ndim)] if open_shapes else array.shape)
            for name, array in inputs.items()
        ],
        [onnx.ValueInfoProto(name=name) for name in outputs],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items()],
    )
    imports = [helper.make_opsetid("", opset)]
    if any(n.domain == "com.microsoft" for n in nodes):
        imports.append(helper.make_opsetid("com.microsoft", 1))
    return helper.make_model(graph, opset_imports=imports, ir_version=10)


def case(draw, nodes, inputs, constants=None, **options):
    """A case of nodes; now and then the model leaves its input shapes open."""
    tolerances = {k: options.pop(k) for k in ("rtol", "atol", "steps") if k in options}
    made = model(nodes, inputs, constants, open_shapes=draw.flip(0.2), **options)
    return Case(made, inputs, **tolerances)
