"""The ways in which Apus can run an ONNX model, all through the public Python package."""

import contextlib
import os
import pathlib
import tempfile

import apus
import apus.backend


class Backend:
    """`apus.backend`, as the suite's own runner uses it."""

    name = "backend"

    def run(self, model, inputs):
        return list(apus.backend.prepare(model, "CPU").run(inputs))


class Portable:
    """Plain C and Swift, no vector kernels."""

    name = "portable"

    def run(self, model, inputs):
        return call(apus.load(model), inputs, isa="portable")


class Best:
    """The best instruction set that this machine has."""

    name = "best"

    def run(self, model, inputs):
        return call(apus.load(model), inputs)


class File:
    """Compiled into a model file for the shapes of the inputs, written, and read again."""

    name = "file"

    def run(self, model, inputs):
        with tempfile.TemporaryDirectory() as folder:
            source, target = pathlib.Path(folder, "model.onnx"), pathlib.Path(folder, "model.apus")
            source.write_bytes(model.SerializeToString())
            shapes = {
                value.name: list(array.shape)
                for value, array in zip(fed_inputs(model), inputs)
                if hasattr(array, "shape")
            }
            apus.compile(source, target, shapes=shapes or None)
            os.remove(source)
            return call(apus.load(target), inputs)


EXECUTORS = {executor.name: executor for executor in (Backend(), Portable(), Best(), File())}


def fed_inputs(model):
    """The inputs that a run is given: initialisers only have a default."""
    constants = {tensor.name for tensor in model.graph.initializer}
    return [value for value in model.graph.input if value.name not in constants]


def call(model, inputs, **options):
    with contextlib.ExitStack() as stack:
        session = stack.enter_context(stack.enter_context(model).session(**options))
        return list(session(*inputs))
