"""Preprocessing and kits on arrays."""

from __future__ import annotations

import ctypes
import weakref
from collections.abc import Mapping as MappingOf
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from . import _errors, _library, _memory, _types
from ._library import library
from ._types import Array, TensorInfo

_FORMATS = {"rgb": 1, "bgr": 2, "gray": 3, "rgba": 7}


class Mapping(NamedTuple):
    """Where a picture lies in a model's input, in pixels."""

    source_width: int
    source_height: int
    resized_width: int
    resized_height: int
    input_width: int
    input_height: int
    left: int
    top: int


@dataclass(frozen=True)
class Object:
    """An object that a model found, or a class that it gave to the whole picture."""

    class_index: int
    label: str | None
    score: float
    #: x1, y1, x2, y2 in pixels of the source picture.
    box: tuple[float, float, float, float]


def _release_preprocessor(handle: int) -> None:
    library.apus_preprocessor_release(handle)


def _release_detector(handle: int) -> None:
    library.apus_detector_release(handle)


class Preprocessing:
    """Turns pictures into a model's input, exactly as every other part of Apus does.

    >>> prepare = apus.Preprocessing("resize=letterbox,raw-scale=1", model.inputs[0])
    >>> tensor, mapping = prepare(picture)
    """

    def __init__(self, text: str, info: TensorInfo, *, order: str = "rgb") -> None:
        """
        Args:
            text: ``KEY=VALUE,…`` as after ``--preprocess``, or ``model.preprocessing[name]``.
            info: the input that is filled: [N, C, H, W] or [N, H, W, C], float32 or uint8.
            order: the channels of the pictures: ``"rgb"`` or ``"bgr"``.
        """
        if info.dtype is None or info.shape is None:
            raise _errors.InvalidArgumentError(f'input "{info.name}" has no known type and rank')
        if order not in ("rgb", "bgr"):
            raise _errors.InvalidArgumentError(f"order is 'rgb' or 'bgr', not '{order}'")
        self._order = order
        given = _library.TensorInfo()
        given.name = info.name.encode()
        given.type = _types.number(info.dtype)
        given.rank = len(info.shape)
        for axis, side in enumerate(info.shape):
            given.dims[axis] = side if isinstance(side, int) else -1
        self._handle = _library.opened(library.apus_preprocessor_open, text.encode(), given)
        weakref.finalize(self, _release_preprocessor, self._handle)

    def __call__(
        self, pictures: Array | Sequence[Array], out: Array | None = None
    ) -> tuple[Array, list[Mapping]]:
        """Makes the input of one picture or a batch.

        Args:
            pictures: H×W×3 (or H×W×4, H×W) arrays of uint8; rows may have any stride.
            out: an array to write to, as from ``session.input_array(name)``.

        Returns:
            The input, and per picture where it lies in it.
        """
        batch = [pictures] if isinstance(pictures, np.ndarray) else list(pictures)
        target = _library.Tensor()
        library.apus_preprocessor_target(self._handle, len(batch), target)
        if out is None:
            shape = [int(target.dims[axis]) for axis in range(target.rank)]
            out = _memory.empty(shape, _types.dtype(target.type))
        elif not out.flags.c_contiguous or not out.flags.writeable:
            raise _errors.WrongTensorError("out must be dense and writable")
        view = _memory.view(out)
        mappings = []
        for sample, picture in enumerate(batch):
            given, keep = self._picture(picture)
            mapping = _library.Mapping()
            library.apus_preprocessor_run(self._handle, given, view, sample, mapping)
            del keep
            mappings.append(Mapping(*(getattr(mapping, name) for name in Mapping._fields)))
        return out, mappings

    def _picture(self, array: Array) -> tuple[_library.Picture, Array]:
        """A picture as the library takes it; its pixels must be dense, its rows need not."""
        channels = 1 if array.ndim == 2 else array.shape[2] if array.ndim == 3 else 0
        name = {1: "gray", 3: self._order, 4: "rgba"}.get(channels)
        if array.dtype != np.uint8 or name is None:
            raise _errors.WrongTensorError(
                f"a picture is an H×W×3, H×W×4 or H×W array of uint8, not {array.dtype} "
                f"{array.shape}"
            )
        strides = array.strides
        dense = strides[1] == channels and (array.ndim == 2 or strides[2] == 1) and strides[0] > 0
        if not dense:
            array = np.ascontiguousarray(array)
        picture = _library.Picture()
        picture.format = _FORMATS[name]
        picture.height, picture.width = array.shape[0], array.shape[1]
        picture.planes[0] = array.ctypes.data
        picture.strides[0] = array.strides[0]
        return picture, array


class Postprocessing:
    """Turns a model's outputs into objects, exactly as every other part of Apus does.

    >>> detect = apus.Postprocessing("yolov8:score=0.3,classes=coco.txt")
    >>> objects = detect(session.run({"images": tensor}), mapping)
    """

    #: Room for objects of one picture: the kits' own limit is far below.
    _capacity = 4096

    def __init__(self, text: str) -> None:
        """
        Args:
            text: ``KIT[:KEY=VALUE,…]`` as after ``--postprocess``, or ``model.postprocessing``.
        """
        self._handle = _library.opened(library.apus_detector_open, text.encode())
        weakref.finalize(self, _release_detector, self._handle)

    def __call__(
        self, outputs: MappingOf[str, Array], mapping: Mapping, *, sample: int = 0
    ) -> list[Object]:
        """Finds the objects of one picture of a batch, best first.

        Args:
            outputs: the model's outputs by name, as from ``session.run``.
            mapping: where the picture lies in the input.
            sample: the picture's number in the batch.
        """
        names = (ctypes.c_char_p * max(len(outputs), 1))(*[n.encode() for n in outputs])
        prepared = [_memory.prepared(array) for array in outputs.values()]
        tensors = (_library.Tensor * max(len(outputs), 1))(*[item[0] for item in prepared])
        place = _library.Mapping(*mapping)
        capacity = self._capacity
        while True:
            objects = (_library.Object * capacity)()
            found = ctypes.c_size_t()
            library.apus_detector_run(
                self._handle,
                names,
                tensors,
                len(outputs),
                sample,
                place,
                objects,
                capacity,
                found,
            )
            if found.value <= capacity:
                break
            capacity = found.value
        return [self._object(objects[index]) for index in range(found.value)]

    def _object(self, item: Any) -> Object:
        label = _library.text(library.apus_detector_label, self._handle, item.class_index)
        return Object(
            item.class_index, label, item.score, (item.x1, item.y1, item.x2, item.y2)
        )
