"""Small models, made here, and the sample detector."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

import apus

ROOT = Path(__file__).resolve().parents[2]


def model_of(nodes, inputs, outputs, constants=(), opset: int = 21) -> ModelProto:
    """A model of nodes; inputs and outputs are (name, type, shape)."""
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(*item) for item in inputs],
        [helper.make_tensor_value_info(*item) for item in outputs],
        [numpy_helper.from_array(array, name) for name, array in constants],
    )
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10
    )


@pytest.fixture(scope="session")
def weights() -> np.ndarray:
    return np.random.default_rng(1).normal(size=(3, 4)).astype(np.float32)


@pytest.fixture(scope="session")
def product(weights) -> ModelProto:
    """y = relu(x · w): x [2, 3], y [2, 4]."""
    return model_of(
        [
            helper.make_node("MatMul", ["x", "w"], ["p"]),
            helper.make_node("Relu", ["p"], ["y"]),
        ],
        [("x", TensorProto.FLOAT, [2, 3])],
        [("y", TensorProto.FLOAT, [2, 4])],
        [("w", weights)],
    )


@pytest.fixture
def program(product, tmp_path) -> Path:
    """The product as an .apus file."""
    path = tmp_path / "product.apus"
    apus.compile(product, path).close()
    return path


@pytest.fixture(scope="session")
def x() -> np.ndarray:
    return np.random.default_rng(2).normal(size=(2, 3)).astype(np.float32)


@pytest.fixture(scope="session")
def expected(x, weights) -> np.ndarray:
    return np.maximum(x @ weights, 0)


@pytest.fixture(scope="session")
def identity() -> Callable[[int], ModelProto]:
    """A model that hands on what it is given, of an element type."""

    def make(kind: int) -> ModelProto:
        return model_of(
            [helper.make_node("Identity", ["x"], ["y"])],
            [("x", kind, [3, 5])],
            [("y", kind, [3, 5])],
            opset=25,
        )

    return make


@pytest.fixture(scope="session")
def slow() -> ModelProto:
    """A model that takes long enough to be cancelled or found busy."""
    nodes = []
    last = "x"
    for index in range(60):
        nodes.append(helper.make_node("MatMul", [last, "w"], [f"p{index}"]))
        nodes.append(helper.make_node("Tanh", [f"p{index}"], [f"t{index}"]))
        last = f"t{index}"
    nodes[-1].output[0] = "y"
    w = np.random.default_rng(3).normal(size=(1024, 1024)).astype(np.float32) / 32
    return model_of(
        nodes,
        [("x", TensorProto.FLOAT, [1024, 1024])],
        [("y", TensorProto.FLOAT, [1024, 1024])],
        [("w", w)],
    )


@pytest.fixture(scope="session")
def detector() -> Path:
    path = ROOT / "Samples/detector/detector.onnx"
    assert path.exists(), f"{path} is missing: the checkout is incomplete"
    return path


DETECTOR_PREPROCESSING = "size=320x320,resize=letterbox,pad=114,raw-scale=1,channel-order=rgb"
DETECTOR_POSTPROCESSING = f"yolov8:classes={ROOT}/Samples/detector/classes.txt"


@pytest.fixture(autouse=True)
def nothing_is_left():
    """Every test releases what it opens."""
    import gc

    gc.collect()
    before = apus.live_counts()
    yield
    gc.collect()
    assert apus.live_counts() == before


