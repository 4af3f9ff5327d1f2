"""Apus: trained neural networks on the computer at the edge.

Compiles ONNX models to ``.apus`` files and runs both, with numpy arrays in and out.

>>> import apus
>>> model = apus.load("model.onnx")
>>> with model.session() as session:
...     outputs = session(x)
"""

from ._compile import compile
from ._errors import (
    ApusError,
    BusyError,
    CancelledError,
    CannotBindError,
    DiskFullError,
    FaultError,
    InternalError,
    InvalidArgumentError,
    InvalidHandleError,
    InvalidModelError,
    MalformedError,
    NoSuchProgramError,
    NotWritableError,
    OutOfMemoryError,
    OutOfThreadsError,
    ShapesError,
    UnavailableError,
    UnreadableError,
    UnsupportedError,
    WrongTensorError,
)
from ._library import LiveCounts, live_counts, version
from ._memory import empty
from ._model import Model, Program, load
from ._pictures import Mapping, Object, Postprocessing, Preprocessing
from ._session import Memory, Session
from ._types import TensorInfo

__version__ = version()

__all__ = [
    "ApusError",
    "BusyError",
    "CancelledError",
    "CannotBindError",
    "DiskFullError",
    "FaultError",
    "InternalError",
    "InvalidArgumentError",
    "InvalidHandleError",
    "InvalidModelError",
    "LiveCounts",
    "MalformedError",
    "Mapping",
    "Memory",
    "Model",
    "NoSuchProgramError",
    "NotWritableError",
    "Object",
    "OutOfMemoryError",
    "OutOfThreadsError",
    "Postprocessing",
    "Preprocessing",
    "Program",
    "Session",
    "ShapesError",
    "TensorInfo",
    "UnavailableError",
    "UnreadableError",
    "UnsupportedError",
    "WrongTensorError",
    "compile",
    "empty",
    "live_counts",
    "load",
    "version",
]
