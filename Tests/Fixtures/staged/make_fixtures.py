"""Makes the small models of this folder: shapes that depend on data, and loops.

    python make_fixtures.py FOLDER          needs the package onnx
"""

import sys

import numpy as np
import onnx
from onnx import TensorProto as T
from onnx import helper as h
from onnx import numpy_helper as nh


def model(graph, opset=18):
    made = h.make_model(graph, opset_imports=[h.make_opsetid("", opset)], ir_version=8)
    onnx.checker.check_model(made)
    return made


def value(name, type=T.FLOAT, shape=None):
    return h.make_tensor_value_info(name, type, shape)


def data_dependent():
    """y: the elements of x · w that are above 0, as a column; n: how many."""
    w = nh.from_array(np.arange(1, 7, dtype=np.float32), "w")
    shape = nh.from_array(np.array([-1, 1], dtype=np.int64), "column")
    zero = nh.from_array(np.array(0, dtype=np.float32), "zero")
    nodes = [
        h.make_node("Mul", ["x", "w"], ["product"]),
        h.make_node("Greater", ["product", "zero"], ["positive"]),
        h.make_node("Compress", ["product", "positive"], ["found"], axis=0),
        h.make_node("Reshape", ["found", "column"], ["y"]),
        h.make_node("Size", ["found"], ["n"]),
    ]
    return model(h.make_graph(
        nodes, "data-dependent", [value("x", shape=[6])],
        [value("y", shape=["n", 1]), value("n", T.INT64, [])], [w, shape, zero]))


def loop(bound):
    """total: 0 + 0 + 1 + 2 … while below the bound, and at most M times; steps: what was added."""
    body = h.make_graph(
        [
            h.make_node("Cast", ["i"], ["step"], to=T.FLOAT),
            h.make_node("Add", ["total_in", "step"], ["total_out"]),
            h.make_node("Less", ["total_out", "bound"], ["goes_on"]),
        ], "body",
        [value("i", T.INT64, []), value("cond", T.BOOL, []), value("total_in", shape=[])],
        [value("goes_on", T.BOOL, []), value("total_out", shape=[]), value("step", shape=[])])
    nodes = [h.make_node("Loop", ["M", "", "start"], ["total", "steps"], body=body)]
    constants = [
        nh.from_array(np.array(0, dtype=np.float32), "start"),
        nh.from_array(np.array(bound, dtype=np.float32), "bound"),
    ]
    return model(h.make_graph(
        nodes, "loop", [value("M", T.INT64, [])],
        [value("total", shape=[]), value("steps", shape=["n"])], constants))


def sequence():
    """parts: x cut into rows; rest: them without the first, as one tensor."""
    nodes = [
        h.make_node("SplitToSequence", ["x"], ["parts"], axis=0, keepdims=1),
        h.make_node("SequenceErase", ["parts", "first"], ["others"]),
        h.make_node("ConcatFromSequence", ["others"], ["rest"], axis=0),
    ]
    parts = h.make_tensor_sequence_value_info("parts", T.FLOAT, [1, 2])
    return model(h.make_graph(
        nodes, "sequence", [value("x", shape=["n", 2])], [parts, value("rest", shape=["m", 2])],
        [nh.from_array(np.array(0, dtype=np.int64), "first")]))


if __name__ == "__main__":
    folder = sys.argv[1]
    onnx.save_model(
        data_dependent(), f"{folder}/data-dependent.onnx", save_as_external_data=True,
        location="data-dependent.bin", size_threshold=16)
    onnx.save_model(loop(100), f"{folder}/loop.onnx")
    onnx.save_model(loop(np.inf), f"{folder}/endless.onnx")
    onnx.save_model(sequence(), f"{folder}/sequence.onnx")
