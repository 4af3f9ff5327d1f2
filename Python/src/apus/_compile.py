"""Compiling ONNX models."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from . import _errors, _library, _memory, _types
from ._library import library
from ._model import Model, load

Shapes = Mapping[str, Sequence[int]] | str


def _texts(values: Iterable[str]) -> tuple[Any, int]:
    encoded = [value.encode() for value in values]
    return (ctypes.c_char_p * max(len(encoded), 1))(*encoded), len(encoded)


def _many(value: Any) -> list[Any]:
    """One or many of something, as a list."""
    if value is None:
        return []
    return [value] if isinstance(value, (str, Mapping)) else list(value)


def _samples(model: Model, samples: Iterable[Any]) -> tuple[Any, int, list[Any]]:
    """Calibration samples as the library takes them, with what keeps them alive."""
    tensors: list[_library.Tensor] = []
    keep: list[Any] = []
    count = 0
    for sample in samples:
        if isinstance(sample, Mapping):
            missing = [info.name for info in model.inputs if info.name not in sample]
            if missing:
                raise _errors.InvalidArgumentError(f"sample {count} lacks {', '.join(missing)}")
            arrays = [sample[info.name] for info in model.inputs]
        elif isinstance(sample, (list, tuple)):
            arrays = list(sample)
        else:
            arrays = [sample]
        if len(arrays) != len(model.inputs):
            raise _errors.InvalidArgumentError(
                f"sample {count} has {len(arrays)} arrays for {len(model.inputs)} inputs"
            )
        for array in arrays:
            tensor, alive, _ = _memory.prepared(array)
            tensors.append(tensor)
            keep.append(alive)
        count += 1
    return (_library.Tensor * max(len(tensors), 1))(*tensors), count, keep


def compile(  # noqa: A001
    source: Any,
    path: str | os.PathLike[str] | None = None,
    *,
    precision: str | None = None,
    shapes: Shapes | Sequence[Shapes] | None = None,
    preprocess: str | Sequence[str] | None = None,
    postprocess: str | None = None,
    samples: Iterable[Any] | None = None,
    ranges: str | None = None,
    method: str | None = None,
    symmetric: bool = False,
    proof: bool = True,
    threads: int | None = None,
    progress: Callable[[str, int, int], object] | None = None,
) -> Model:
    """Compiles an ONNX model.

    Args:
        source: what :func:`apus.load` takes, or a :class:`Model` of an ONNX model.
        path: the ``.apus`` file to write; default: none, the model stays in memory.
        precision: ``"fp32"``, ``"bf16"`` or ``"int8"``.
        shapes: the input shapes, ``{"images": (1, 3, 640, 640)}``; a list of such for several
            programs in one model.
        preprocess: how pictures become inputs, ``"[NAME:]KEY=VALUE,…"``, as on the command line.
        postprocess: how outputs become objects, ``"KIT[:KEY=VALUE,…]"``.
        samples: for int8: arrays, lists or mappings of arrays to calibrate on.
        ranges: for int8, instead of samples: the text of a table of ranges.
        method: how ranges are chosen: ``"auto"``, ``"minmax"``, ``"kl"``, ``"percentile"``,
            ``"mse"``.
        symmetric: zero point 128 for every activation.
        proof: compare the programs with the source model; the result is in the model's
            description.
        threads: the threads of proofs.
        progress: called with phase, done and total; an exception that it raises ends the
            compilation and comes out of this function.

    Raises:
        UnsupportedError: naming all nodes that cannot be compiled.
    """
    opened = None if isinstance(source, Model) else load(source)
    model: Model = opened if opened is not None else source
    options = _library.CompileOptions()
    options.size = ctypes.sizeof(options)
    options.precision = _library.encoded(precision)
    options.shapes, options.shape_count = _texts(
        text for text in map(_types.shapes_text, _many(shapes)) if text is not None
    )
    options.preprocess, options.preprocess_count = _texts(_many(preprocess))
    options.postprocess = _library.encoded(postprocess)
    options.samples, options.sample_count, keep = _samples(model, samples or [])
    options.ranges = _library.encoded(ranges)
    options.calibration_method = _library.encoded(method)
    options.symmetric = symmetric
    options.skip_proof = not proof
    options.threads = threads or 0
    raised: list[BaseException] = []

    def report(_context: Any, phase: bytes, done: int, total: int) -> int:
        try:
            if progress is not None:
                progress(phase.decode(), done, total)
        except BaseException as error:  # noqa: BLE001 - it goes on behind the C code
            raised.append(error)
            return 1
        return 0

    options.progress = _library.Progress(report)
    try:
        compiled = Model(_library.opened(library.apus_compile, model._handle, options))
    except _errors.CancelledError:
        if raised:
            raise raised[0] from None
        raise
    finally:
        del keep
        if opened is not None:
            opened.close()
    if path is not None:
        compiled.save(path)
    return compiled
