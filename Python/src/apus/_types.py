"""Element types: ONNX's numbers and numpy's types."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np

from . import _errors, _library

Array = np.ndarray[Any, np.dtype[Any]]

_BY_NUMBER: dict[int, np.dtype[Any]] = {
    1: np.dtype(np.float32),
    2: np.dtype(np.uint8),
    3: np.dtype(np.int8),
    4: np.dtype(np.uint16),
    5: np.dtype(np.int16),
    6: np.dtype(np.int32),
    7: np.dtype(np.int64),
    9: np.dtype(np.bool_),
    10: np.dtype(np.float16),
    11: np.dtype(np.float64),
    12: np.dtype(np.uint32),
    13: np.dtype(np.uint64),
    14: np.dtype(np.complex64),
    15: np.dtype(np.complex128),
}
# Types that numpy lacks; older releases of ml_dtypes do not have all of them.
for _number, _name in {
    16: "bfloat16",
    17: "float8_e4m3fn",
    18: "float8_e4m3fnuz",
    19: "float8_e5m2",
    20: "float8_e5m2fnuz",
    21: "uint4",
    22: "int4",
    23: "float4_e2m1fn",
    24: "float8_e8m0fnu",
    25: "uint2",
    26: "int2",
}.items():
    _scalar = getattr(ml_dtypes, _name, None)
    if _scalar is not None:
        _BY_NUMBER[_number] = np.dtype(_scalar)

_BY_TYPE: dict[np.dtype[Any], int] = {dtype: number for number, dtype in _BY_NUMBER.items()}


def bits(number: int) -> int:
    """The bits of one element in Apus's memory."""
    return int(_library.library.apus_type_bits(number))


def dtype(number: int) -> np.dtype[Any]:
    """The numpy type of an element type."""
    try:
        return _BY_NUMBER[number]
    except KeyError:
        raise _errors.UnsupportedError(
            f"element type {number} has no numpy type here; a newer ml_dtypes may have it"
        ) from None


def number(kind: np.dtype[Any]) -> int:
    """The element type of a numpy type."""
    try:
        return _BY_TYPE[kind.newbyteorder("=") if kind.byteorder == ">" else kind]
    except KeyError:
        raise _errors.WrongTensorError(
            f"arrays of {kind} cannot be passed: Apus takes "
            + ", ".join(str(known) for known in _BY_TYPE)
        ) from None


def packed(array: Array, width: int) -> Array:
    """The elements of 2 or 4 bits packed into bytes, the first in the low bits."""
    count = 8 // width
    codes = np.ascontiguousarray(array).reshape(-1).view(np.uint8) & ((1 << width) - 1)
    if codes.size % count:
        codes = np.concatenate([codes, np.zeros(count - codes.size % count, np.uint8)])
    result = np.zeros(codes.size // count, np.uint8)
    for position in range(count):
        result |= codes[position::count] << np.uint8(position * width)
    return result


def unpacked(data: Array, kind: np.dtype[Any], width: int, shape: tuple[int, ...]) -> Array:
    """Packed elements of 2 or 4 bits, one per byte as ml_dtypes keeps them."""
    count = 8 // width
    codes = np.empty(data.size * count, np.uint8)
    for position in range(count):
        codes[position::count] = (data >> np.uint8(position * width)) & ((1 << width) - 1)
    size = int(np.prod(shape, dtype=np.int64))
    codes = codes[:size]
    if np.dtype(kind).name in ("int4", "int2"):
        # ml_dtypes keeps negative numbers with all bits of their byte set.
        sign = 1 << (width - 1)
        codes = np.where(codes & sign, codes | np.uint8(0x100 - 2 * sign), codes).astype(np.uint8)
    return codes.view(kind).reshape(shape)


@dataclass(frozen=True)
class TensorInfo:
    """What a model or a session says about one input or output."""

    name: str
    #: ``"tensor"``, ``"sequence"`` or ``"optional"``.
    kind: str
    #: Of the elements; None where the model leaves it open.
    dtype: np.dtype[Any] | None
    #: The extents: numbers, names of open extents, or None; None where the rank is unknown.
    shape: tuple[int | str | None, ...] | None
    #: How 8-bit elements stand for real numbers: ``scale * (element - zero point)``. Empty where
    #: the elements are the numbers; one pair for all; or one per position of ``scale_axis``.
    scales: tuple[float, ...] = ()
    zero_points: tuple[int, ...] = ()
    scale_axis: int = 0

    def __repr__(self) -> str:
        kind = "" if self.kind == "tensor" else self.kind + " of "
        sides = "?" if self.shape is None else ", ".join(str(side) for side in self.shape)
        return f"<{self.name}: {kind}{self.dtype}[{sides}]>"


_KINDS = ("tensor", "sequence", "optional")


def tensor_info(function: Any, *arguments: int) -> TensorInfo:
    """Asks the library about an input or output."""
    info = _library.TensorInfo()
    function(*arguments, info, ctypes.sizeof(info))
    shape: list[int | str | None] = []
    for axis in range(max(info.rank, 0)):
        symbol = info.symbols[axis]
        if info.dims[axis] >= 0:
            shape.append(int(info.dims[axis]))
        else:
            shape.append(symbol.decode() if symbol else None)
    scales = tuple(float(info.scales[i]) for i in range(info.scale_count))
    zero_points = tuple(int(info.zero_points[i]) for i in range(info.scale_count))
    return TensorInfo(
        name=info.name.decode(),
        kind=_KINDS[info.kind],
        dtype=_BY_NUMBER.get(info.type),
        shape=tuple(shape) if info.rank >= 0 else None,
        scales=scales,
        zero_points=zero_points,
        scale_axis=int(info.scale_axis),
    )


def is_fixed(info: TensorInfo) -> bool:
    """Says whether a tensor's extents are known, and its elements take whole bytes."""
    return (
        info.dtype is not None
        and bits(number(info.dtype)) >= 8
        and info.shape is not None
        and all(isinstance(side, int) for side in info.shape)
    )


def shapes_text(shapes: Any) -> str | None:
    """The text of a mapping from input names to shapes; a text stays as it is."""
    if shapes is None or isinstance(shapes, str):
        return shapes
    parts = []
    for name, shape in shapes.items():
        sides = "x".join(str(int(side)) for side in shape) or "scalar"
        parts.append(f"{name}={sides}")
    return ",".join(parts)
