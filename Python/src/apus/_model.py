"""Models: files, source models, and what was compiled."""

from __future__ import annotations

import ctypes
import os
import weakref
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, NamedTuple, Protocol

from . import _errors, _library, _session, _types
from ._library import library
from ._session import Session
from ._types import TensorInfo


class _Serialisable(Protocol):
    """What an ``onnx.ModelProto`` can do."""

    def SerializeToString(self) -> bytes: ...  # noqa: N802


class Program(NamedTuple):
    """One program of a model: a precision and a set of input shapes."""

    precision: str
    inputs: tuple[TensorInfo, ...]
    #: Bytes of weights, shared by all sessions and processes.
    weights: int
    #: Bytes of intermediate results, inputs and outputs of one session.
    arena: int
    #: Of these, inputs and outputs.
    io: int
    #: Operations (2 per multiply-add) of one run.
    operations: int


def _release(handle: int) -> None:
    try:
        library.apus_model_release(handle)
    except _errors.ApusError:
        pass


class Model:
    """A model: an ``.apus`` file, an ONNX model, or what :func:`apus.compile` made.

    Made by :func:`apus.load`. A context manager; sessions stay usable when it is closed.
    """

    def __init__(self, handle: int) -> None:
        self._handle = handle
        self._finalizer = weakref.finalize(self, _release, handle)
        self._default: Session | None = None
        self.inputs: tuple[TensorInfo, ...] = tuple(
            _types.tensor_info(library.apus_model_input, handle, index)
            for index in range(_library.count(library.apus_model_input_count, handle))
        )
        self.outputs: tuple[TensorInfo, ...] = tuple(
            _types.tensor_info(library.apus_model_output, handle, index)
            for index in range(_library.count(library.apus_model_output_count, handle))
        )
        self.programs: tuple[Program, ...] = tuple(
            self._program(index)
            for index in range(_library.count(library.apus_model_program_count, handle))
        )

    def _program(self, index: int) -> Program:
        info = _library.ProgramInfo()
        library.apus_model_program(self._handle, index, info, ctypes.sizeof(info))
        inputs = tuple(
            _types.tensor_info(library.apus_model_program_input, self._handle, index, place)
            for place in range(len(self.inputs))
        )
        return Program(
            info.precision.decode(),
            inputs,
            info.weight_size,
            info.arena_size,
            info.io_size,
            info.operation_count,
        )

    @property
    def precisions(self) -> tuple[str, ...]:
        """The precisions of the programs, each once; empty for an ONNX model."""
        return tuple(dict.fromkeys(program.precision for program in self.programs))

    @property
    def description(self) -> str:
        """Where the model comes from, and whether it was proved: lines of text."""
        return _library.text(library.apus_model_description, self._handle) or ""

    @property
    def preprocessing(self) -> dict[str, str]:
        """How pictures become inputs, by input name, as the model says it."""
        texts = {
            info.name: _library.text(library.apus_model_preprocessing, self._handle, index)
            for index, info in enumerate(self.inputs)
        }
        return {name: text for name, text in texts.items() if text is not None}

    @property
    def postprocessing(self) -> str | None:
        """How outputs become objects, as the model says it; None where it does not."""
        return _library.text(library.apus_model_postprocessing, self._handle)

    def session(
        self,
        *,
        precision: str | None = None,
        shapes: Mapping[str, Sequence[int]] | str | None = None,
        isa: str | None = None,
        threads: int | None = None,
    ) -> Session:
        """Makes a session.

        Args:
            precision: which program; of an ONNX model, what it is compiled to. Default: the
                first program, or the model's own precision.
            shapes: which program by input shapes; of an ONNX model, the shapes that open extents
                have. Default: the first program; of an ONNX model, those of the arrays.
            isa: use only kernels of this instruction set: ``"portable"``, ``"avx2"`` …
            threads: the threads of a run. Default: what the process may use.
        """
        return Session(self, _session.options(precision, shapes, isa, threads))

    def __call__(self, *arrays: Any, **named: Any) -> list[Any]:
        """Runs on arrays with a session of its own, made at the first call."""
        if self._default is None:
            self._default = self.session()
        return self._default(*arrays, **named)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes what :func:`apus.compile` made to an ``.apus`` file."""
        library.apus_model_write(self._handle, os.fsencode(path))

    def close(self) -> None:
        """Releases the model. Closing twice is allowed; sessions stay usable."""
        if self._default is not None:
            self._default.close()
            self._default = None
        if self._finalizer.alive:
            library.apus_model_release(self._handle)
            self._finalizer.detach()

    def __enter__(self) -> Model:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "" if self._finalizer.alive else "closed "
        return f"<{state}apus.Model {list(self.inputs)} -> {list(self.outputs)}>"


def load(
    source: str | os.PathLike[str] | bytes | bytearray | memoryview | _Serialisable,
    *,
    folder: str | os.PathLike[str] | None = None,
) -> Model:
    """Opens a model: a path to an ``.apus`` or ONNX file, its bytes, or an ``onnx.ModelProto``.

    Args:
        source: the model. Files of the ``.apus`` format are mapped, not read.
        folder: where external data of an ONNX model in memory lies; default: nowhere.
    """
    if isinstance(source, (str, os.PathLike)):
        if folder is not None:
            raise _errors.InvalidArgumentError("folder belongs to models in memory")
        return Model(_library.opened(library.apus_model_open, os.fsencode(source)))
    if isinstance(source, (bytes, bytearray, memoryview)):
        data = bytes(source)
    elif hasattr(source, "SerializeToString"):
        data = source.SerializeToString()
    else:
        raise TypeError(f"apus.load takes a path, bytes or a ModelProto, not {type(source)}")
    place = None if folder is None else os.fsencode(folder)
    return Model(_library.opened(library.apus_model_open_memory, data, len(data), place))
