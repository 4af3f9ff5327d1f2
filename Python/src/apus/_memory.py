"""Memory that the library and numpy share, and values across the border."""

from __future__ import annotations

import ctypes
import weakref
from collections.abc import Sequence
from typing import Any

import numpy as np

from . import _errors, _library, _types
from ._library import library
from ._types import Array


class Block:
    """Memory of the library that arrays lie in; it goes with the last of them."""

    def __init__(self, address: int, size: int, slack: int, owner: Any = None) -> None:
        self.address = address
        #: The bytes that arrays may lie in.
        self.size = size
        #: The readable bytes behind them.
        self.slack = slack
        #: Whatever must live as long as the memory.
        self.owner = owner
        self.__array_interface__ = {
            "version": 3,
            "shape": (size,),
            "typestr": "|u1",
            "data": (address, False),
        }


def empty(shape: int | Sequence[int], dtype: Any = np.float32) -> Array:
    """Makes an array in memory that sessions read and write without a copy.

    Numpy's own arrays are copied: they are not aligned to 64 bytes, and nothing says that the
    bytes behind them may be read.
    """
    kind = np.dtype(dtype)
    sides = (shape,) if isinstance(shape, int) else tuple(int(side) for side in shape)
    size = int(np.prod(sides, dtype=np.int64)) * kind.itemsize
    address = library.apus_allocate(size)
    if not address:
        raise _errors.OutOfMemoryError(f"no memory for {size} bytes")
    block = Block(address, size, _library.SLACK)
    weakref.finalize(block, library.apus_free, address)
    array: Array = np.asarray(block).view(kind).reshape(sides)
    return array


def block_of(array: Array) -> Block | None:
    """The library's memory that an array lies in; None for numpy's own."""
    base: Any = array
    while isinstance(base, np.ndarray):
        base = base.base
    return base if isinstance(base, Block) else None


def view(array: Array) -> _library.Tensor:
    """An array as the library sees it. The array must be dense and outlive the use.

    Elements smaller than a byte are to be packed before, with the array's own shape.
    """
    return raw(_types.number(array.dtype), array.shape, array.ctypes.data, array.nbytes)


def raw(number: int, shape: Sequence[int], address: int, size: int) -> _library.Tensor:
    """A tensor structure."""
    if len(shape) > _library.MAX_RANK:
        raise _errors.WrongTensorError(f"rank {len(shape)} is more than {_library.MAX_RANK}")
    tensor = _library.Tensor()
    tensor.type = number
    tensor.rank = len(shape)
    for axis, side in enumerate(shape):
        tensor.dims[axis] = side
    tensor.data = address
    tensor.size = size
    return tensor


def prepared(value: Any) -> tuple[_library.Tensor, Array, str | None]:
    """An array as the library reads it: the structure, what keeps it alive, why it was copied.

    The reason is None where the structure points to the caller's own elements.
    """
    array = np.asarray(value)
    reason = None
    if not isinstance(value, np.ndarray):
        reason = "it is no numpy array"
    elif array.dtype.byteorder == ">":
        reason = "it is big-endian"
    elif not array.flags.c_contiguous:
        reason = "its elements do not lie one after the other"
    number = _types.number(array.dtype)
    width = _types.bits(number)
    if 0 < width < 8:
        codes = _types.packed(array, width)
        tensor = raw(number, array.shape, codes.ctypes.data, codes.nbytes)
        return tensor, codes, f"elements of {width} bits are packed"
    if array.dtype.byteorder == ">":
        array = array.astype(array.dtype.newbyteorder("="))
    # ascontiguousarray would make a vector of a scalar.
    dense = array if array.flags.c_contiguous else array.copy(order="C")
    return view(dense), dense, reason


def made(value: Any) -> int:
    """A handle of a new value: of an array, a list, or None."""
    if value is None:
        return _library.opened(library.apus_value_absent)
    if isinstance(value, (list, tuple)):
        handles = [made(element) for element in value]
        try:
            array = (ctypes.c_uint64 * max(len(handles), 1))(*handles)
            return _library.opened(library.apus_value_sequence, array, len(handles))
        finally:
            for handle in handles:
                library.apus_value_release(handle)
    tensor, keep, _ = prepared(value)
    handle = _library.opened(library.apus_value_tensor, tensor)
    del keep
    return handle


class _Owner:
    """Releases a value when the arrays that show it are gone."""

    def __init__(self, handle: int) -> None:
        weakref.finalize(self, _release_value, handle)


def _release_value(handle: int) -> None:
    library.apus_value_release(handle)


def taken(handle: int) -> Any:
    """What a value holds: an array on its memory, a list, or None. Takes the handle over."""
    kind = ctypes.c_uint32()
    library.apus_value_kind(handle, kind)
    if kind.value == _library.TENSOR:
        owner = _Owner(handle)
        tensor = _library.Tensor()
        library.apus_value_view(handle, tensor)
        return shown(tensor, owner)
    try:
        if kind.value == _library.OPTIONAL:
            return None
        length = _library.count(library.apus_value_count, handle)
        return [
            taken(_library.opened(library.apus_value_element, handle, index))
            for index in range(length)
        ]
    finally:
        library.apus_value_release(handle)


def shown(tensor: _library.Tensor, owner: Any) -> Array:
    """An array on the memory of a tensor, which ``owner`` keeps valid."""
    shape = tuple(int(tensor.dims[axis]) for axis in range(tensor.rank))
    kind = _types.dtype(tensor.type)
    width = _types.bits(tensor.type)
    count = int(np.prod(shape, dtype=np.int64))
    size = (count * width + 7) // 8
    if size == 0 or not tensor.data:
        return np.empty(shape, kind)
    data = np.asarray(Block(tensor.data, size, 0, owner))
    if width < 8:
        return _types.unpacked(data, kind, width, shape)
    return data.view(kind).reshape(shape)
