"""Apus as an ONNX backend: ``onnx.backend.base.Backend``.

>>> import apus.backend
>>> outputs = apus.backend.run_model(model_proto, [array])
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import ModelProto, NodeProto, TypeProto, helper
from onnx.backend.base import Backend, BackendRep, Device, DeviceType

from . import _types
from ._compile import compile as _compile
from ._errors import ApusError
from ._model import Model, load


class ApusRep(BackendRep):
    """A model that is ready to run."""

    def __init__(self, model: Model, **options: Any) -> None:
        super().__init__()
        self.model = model
        self.session = model.session(**options)

    def run(self, inputs: Any, **kwargs: Any) -> tuple[Any, ...]:
        """Runs on inputs: a mapping by name, a list in order, or the only input itself.

        Returns:
            The outputs in order: arrays, lists for sequences, None for absent optionals.
        """
        if isinstance(inputs, Mapping):
            return tuple(self.session.run(inputs).values())
        if not isinstance(inputs, (list, tuple)):
            inputs = [inputs]
        return tuple(self.session(*inputs))


class ApusBackend(Backend):
    """Apus behind ONNX's backend interface.

    Options of ``prepare`` and ``run_model``, beside those of :meth:`apus.Model.session`:

    ``through_file``
        Compile the model to an ``.apus`` file and run that. The model's shapes must be known.
    """

    @classmethod
    def is_compatible(cls, model: ModelProto, device: str = "CPU", **kwargs: Any) -> bool:
        """Says whether the model can be imported and the device is supported."""
        if not cls.supports_device(device):
            return False
        try:
            load(model).close()
        except ApusError:
            return False
        return True

    @classmethod
    def prepare(cls, model: ModelProto, device: str = "CPU", **kwargs: Any) -> ApusRep:
        """Makes a model ready to run."""
        if not cls.supports_device(device):
            raise ValueError(f"Apus runs on the CPU, not on {device}")
        if kwargs.pop("through_file", False):
            shapes = kwargs.get("shapes")
            with tempfile.TemporaryDirectory() as folder:
                path = os.path.join(folder, "model.apus")
                precision = kwargs.pop("precision", None)
                _compile(model, path, shapes=shapes, precision=precision, proof=False).close()
                # The file stays mapped when its name is gone.
                return ApusRep(load(path), **kwargs)
        return ApusRep(load(model), **kwargs)

    @classmethod
    def run_model(
        cls, model: ModelProto, inputs: Any, device: str = "CPU", **kwargs: Any
    ) -> tuple[Any, ...]:
        """Runs a model once."""
        return cls.prepare(model, device, **kwargs).run(inputs)

    @classmethod
    def run_node(
        cls,
        node: NodeProto,
        inputs: Any,
        device: str = "CPU",
        outputs_info: Sequence[tuple[Any, tuple[int, ...]]] | None = None,
        **kwargs: Any,
    ) -> tuple[Any, ...]:
        """Runs one operator on arrays.

        Args:
            node: the operator.
            inputs: as many arrays as the node has named inputs.
            outputs_info: element types and shapes of the outputs; may be missing.
            kwargs: ``opset_version`` (default: the newest of the onnx package), or options of
                :meth:`apus.Model.session`.
        """
        names = list(dict.fromkeys(name for name in node.input if name))
        if isinstance(inputs, Mapping):
            arrays = [inputs[name] for name in names]
        else:
            arrays = list(inputs) if isinstance(inputs, (list, tuple)) else [inputs]
        version = kwargs.pop("opset_version", None) or onnx.defs.onnx_opset_version()
        domains = {"": version}
        domains.setdefault(node.domain if node.domain != "ai.onnx" else "", 1)
        graph = helper.make_graph(
            [node],
            "node",
            [
                helper.make_value_info(name, _type(array))
                for name, array in zip(names, arrays, strict=True)
            ],
            [onnx.ValueInfoProto(name=name) for name in node.output if name],
        )
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid(*pair) for pair in domains.items()]
        )
        return cls.run_model(model, arrays, device, **kwargs)

    @classmethod
    def supports_device(cls, device: str) -> bool:
        """Says whether the device is the CPU."""
        try:
            return bool(Device(device).type == DeviceType.CPU)
        except (AttributeError, KeyError, ValueError):
            return False


def _type(value: Any) -> TypeProto:
    """The ONNX type of an array, a list or None."""
    if value is None:
        return helper.make_optional_type_proto(helper.make_tensor_type_proto(1, None))
    if isinstance(value, (list, tuple)):
        element = _type(value[0]) if value else helper.make_tensor_type_proto(1, None)
        return helper.make_sequence_type_proto(element)
    array = np.asarray(value)
    return helper.make_tensor_type_proto(_types.number(array.dtype), array.shape)


is_compatible = ApusBackend.is_compatible
prepare = ApusBackend.prepare
run_model = ApusBackend.run_model
run_node = ApusBackend.run_node
supports_device = ApusBackend.supports_device
