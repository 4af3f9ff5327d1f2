"""libapus.so by way of ctypes: structures, functions, and statuses as exceptions."""

from __future__ import annotations

import ctypes
import os
from ctypes import POINTER, Structure, c_char_p, c_float, c_int32, c_int64, c_size_t, c_uint64
from ctypes import c_uint32, c_void_p
from pathlib import Path
from typing import Any, NamedTuple

from . import _errors

MAX_RANK = 16
ALIGNMENT = 64
SLACK = 64

TENSOR, SEQUENCE, OPTIONAL = 0, 1, 2


class Tensor(Structure):
    """``apus_tensor``"""

    _fields_ = [
        ("type", c_uint32),
        ("rank", c_int32),
        ("dims", c_int64 * MAX_RANK),
        ("data", c_void_p),
        ("size", c_size_t),
    ]


class TensorInfo(Structure):
    """``apus_tensor_info``"""

    _fields_ = [
        ("name", c_char_p),
        ("kind", c_uint32),
        ("type", c_uint32),
        ("rank", c_int32),
        ("dims", c_int64 * MAX_RANK),
        ("symbols", c_char_p * MAX_RANK),
        ("scale_count", c_size_t),
        ("scale_axis", c_int32),
        ("scales", POINTER(c_float)),
        ("zero_points", POINTER(c_int32)),
    ]


class ProgramInfo(Structure):
    """``apus_program_info``"""

    _fields_ = [
        ("precision", c_char_p),
        ("weight_size", c_int64),
        ("arena_size", c_int64),
        ("io_size", c_int64),
        ("operation_count", c_int64),
    ]


class SessionInfo(Structure):
    """``apus_session_info``"""

    _fields_ = [
        ("weight_size", c_int64),
        ("arena_size", c_int64),
        ("scratch_size", c_int64),
        ("io_size", c_int64),
        ("thread_count", c_int32),
    ]


class SessionOptions(Structure):
    """``apus_session_options``"""

    _fields_ = [
        ("size", c_size_t),
        ("precision", c_char_p),
        ("shapes", c_char_p),
        ("isa", c_char_p),
        ("threads", c_int32),
    ]


Progress = ctypes.CFUNCTYPE(c_int32, c_void_p, c_char_p, c_int64, c_int64)


class CompileOptions(Structure):
    """``apus_compile_options``"""

    _fields_ = [
        ("size", c_size_t),
        ("precision", c_char_p),
        ("shapes", POINTER(c_char_p)),
        ("shape_count", c_size_t),
        ("preprocess", POINTER(c_char_p)),
        ("preprocess_count", c_size_t),
        ("postprocess", c_char_p),
        ("samples", POINTER(Tensor)),
        ("sample_count", c_size_t),
        ("ranges", c_char_p),
        ("calibration_method", c_char_p),
        ("symmetric", c_int32),
        ("skip_proof", c_int32),
        ("threads", c_int32),
        ("progress", Progress),
        ("progress_context", c_void_p),
    ]


class Picture(Structure):
    """``apus_picture``"""

    _fields_ = [
        ("format", c_uint32),
        ("width", c_int32),
        ("height", c_int32),
        ("planes", c_void_p * 3),
        ("strides", c_int64 * 3),
    ]


class Mapping(Structure):
    """``apus_mapping``"""

    _fields_ = [
        ("source_width", c_int32),
        ("source_height", c_int32),
        ("resized_width", c_int32),
        ("resized_height", c_int32),
        ("input_width", c_int32),
        ("input_height", c_int32),
        ("left", c_int32),
        ("top", c_int32),
    ]


class Object(Structure):
    """``apus_object``"""

    _fields_ = [
        ("class_index", c_int32),
        ("score", c_float),
        ("x1", c_float),
        ("y1", c_float),
        ("x2", c_float),
        ("y2", c_float),
    ]


class _Counts(Structure):
    _fields_ = [
        ("models", c_size_t),
        ("sessions", c_size_t),
        ("values", c_size_t),
        ("preprocessors", c_size_t),
        ("detectors", c_size_t),
    ]


_HANDLE = c_uint64
_HANDLE_OUT = POINTER(c_uint64)
_COUNT_OUT = POINTER(c_size_t)
_TEXT_OUT = POINTER(c_char_p)

# Every function that answers a status, with the types of its arguments.
_FUNCTIONS: dict[str, list[Any]] = {
    "apus_count_live": [POINTER(_Counts)],
    "apus_model_open": [c_char_p, _HANDLE_OUT],
    "apus_model_open_memory": [c_char_p, c_size_t, c_char_p, _HANDLE_OUT],
    "apus_model_release": [_HANDLE],
    "apus_model_input_count": [_HANDLE, _COUNT_OUT],
    "apus_model_output_count": [_HANDLE, _COUNT_OUT],
    "apus_model_input": [_HANDLE, c_size_t, POINTER(TensorInfo), c_size_t],
    "apus_model_output": [_HANDLE, c_size_t, POINTER(TensorInfo), c_size_t],
    "apus_model_program_count": [_HANDLE, _COUNT_OUT],
    "apus_model_program": [_HANDLE, c_size_t, POINTER(ProgramInfo), c_size_t],
    "apus_model_program_input": [_HANDLE, c_size_t, c_size_t, POINTER(TensorInfo), c_size_t],
    "apus_model_preprocessing": [_HANDLE, c_size_t, _TEXT_OUT],
    "apus_model_postprocessing": [_HANDLE, _TEXT_OUT],
    "apus_model_description": [_HANDLE, _TEXT_OUT],
    "apus_model_write": [_HANDLE, c_char_p],
    "apus_compile": [_HANDLE, POINTER(CompileOptions), _HANDLE_OUT],
    "apus_session_open": [_HANDLE, POINTER(SessionOptions), _HANDLE_OUT],
    "apus_session_release": [_HANDLE],
    "apus_session_input_count": [_HANDLE, _COUNT_OUT],
    "apus_session_output_count": [_HANDLE, _COUNT_OUT],
    "apus_session_input": [_HANDLE, c_size_t, POINTER(TensorInfo), c_size_t],
    "apus_session_output": [_HANDLE, c_size_t, POINTER(TensorInfo), c_size_t],
    "apus_session_describe": [_HANDLE, POINTER(SessionInfo), c_size_t],
    "apus_session_set_input": [_HANDLE, c_size_t, POINTER(Tensor)],
    "apus_session_set_value": [_HANDLE, c_size_t, _HANDLE],
    "apus_session_input_memory": [_HANDLE, c_size_t, POINTER(Tensor)],
    "apus_session_bind_input": [_HANDLE, c_size_t, POINTER(Tensor)],
    "apus_session_bind_output": [_HANDLE, c_size_t, POINTER(Tensor)],
    "apus_session_run": [_HANDLE],
    "apus_session_cancel": [_HANDLE],
    "apus_session_output_view": [_HANDLE, c_size_t, POINTER(Tensor)],
    "apus_session_copy_output": [_HANDLE, c_size_t, c_void_p, c_size_t],
    "apus_session_output_value": [_HANDLE, c_size_t, _HANDLE_OUT],
    "apus_value_tensor": [POINTER(Tensor), _HANDLE_OUT],
    "apus_value_sequence": [POINTER(c_uint64), c_size_t, _HANDLE_OUT],
    "apus_value_absent": [_HANDLE_OUT],
    "apus_value_release": [_HANDLE],
    "apus_value_kind": [_HANDLE, POINTER(c_uint32)],
    "apus_value_view": [_HANDLE, POINTER(Tensor)],
    "apus_value_count": [_HANDLE, _COUNT_OUT],
    "apus_value_element": [_HANDLE, c_size_t, _HANDLE_OUT],
    "apus_preprocessor_open": [c_char_p, POINTER(TensorInfo), _HANDLE_OUT],
    "apus_preprocessor_release": [_HANDLE],
    "apus_preprocessor_target": [_HANDLE, c_size_t, POINTER(Tensor)],
    "apus_preprocessor_run": [
        _HANDLE,
        POINTER(Picture),
        POINTER(Tensor),
        c_size_t,
        POINTER(Mapping),
    ],
    "apus_detector_open": [c_char_p, _HANDLE_OUT],
    "apus_detector_release": [_HANDLE],
    "apus_detector_label": [_HANDLE, c_int32, _TEXT_OUT],
    "apus_detector_run": [
        _HANDLE,
        POINTER(c_char_p),
        POINTER(Tensor),
        c_size_t,
        c_size_t,
        POINTER(Mapping),
        POINTER(Object),
        c_size_t,
        _COUNT_OUT,
    ],
}


def _check(status: int, _function: Any, _arguments: Any) -> int:
    """Turns a status into an exception: what ctypes calls after every function."""
    if status != 0:
        message = library.apus_last_message()
        raise _errors.error(status, message.decode("utf-8", "replace"))
    return status


def _load() -> Any:
    """Opens the library that lies in this package, or the one that APUS_LIBRARY names."""
    path = os.environ.get("APUS_LIBRARY") or str(Path(__file__).with_name("libapus.so"))
    loaded = ctypes.CDLL(path)
    for name, arguments in _FUNCTIONS.items():
        function = getattr(loaded, name)
        function.argtypes = arguments
        function.restype = c_int32
        function.errcheck = _check
    loaded.apus_version.restype = c_char_p
    loaded.apus_last_message.restype = c_char_p
    loaded.apus_type_bits.restype = c_int32
    loaded.apus_type_bits.argtypes = [c_uint32]
    loaded.apus_allocate.restype = c_void_p
    loaded.apus_allocate.argtypes = [c_size_t]
    loaded.apus_free.restype = None
    loaded.apus_free.argtypes = [c_void_p]
    return loaded


library: Any = _load()


def version() -> str:
    """The version of the library."""
    text: bytes = library.apus_version()
    return text.decode()


class LiveCounts(NamedTuple):
    """How many objects of each kind are live in this process."""

    models: int
    sessions: int
    values: int
    preprocessors: int
    detectors: int


def live_counts() -> LiveCounts:
    """Counts the live objects of this process, by kind.

    An array that a session returned counts as a value as long as it lives: it is the library's
    memory, not a copy.
    """
    counts = _Counts()
    library.apus_count_live(counts)
    return LiveCounts(
        counts.models, counts.sessions, counts.values, counts.preprocessors, counts.detectors
    )


def opened(function: Any, *arguments: Any) -> int:
    """Calls a function whose last argument receives a handle."""
    handle = c_uint64()
    function(*arguments, handle)
    return handle.value


def count(function: Any, handle: int) -> int:
    """Calls a function that counts."""
    number = c_size_t()
    function(handle, number)
    return number.value


def text(function: Any, *arguments: Any) -> str | None:
    """Calls a function whose last argument receives a text, or NULL."""
    pointer = c_char_p()
    function(*arguments, pointer)
    return None if pointer.value is None else pointer.value.decode()


def encoded(value: str | None) -> bytes | None:
    """A text as C takes it."""
    return None if value is None else value.encode()


