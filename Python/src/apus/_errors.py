"""One exception for each status of the C interface."""

from __future__ import annotations


class ApusError(Exception):
    """Any failure of Apus. The text says what failed, with which numbers, and what to do."""

    #: The status of the C interface.
    status = 0


class InvalidArgumentError(ApusError, ValueError):
    """An argument is out of range or not understood."""

    status = 1


class InvalidHandleError(ApusError):
    """The model, session or value is closed."""

    status = 2


class BusyError(ApusError):
    """Another thread is using the object."""

    status = 3


class UnreadableError(ApusError, OSError):
    """There is no such file, or it cannot be read."""

    status = 4


class MalformedError(ApusError, ValueError):
    """The bytes are no model: something else, cut off, damaged, or over a limit."""

    status = 5


class UnsupportedError(ApusError):
    """The model uses something that is not supported; the text names all of it."""

    status = 6


class InvalidModelError(ApusError, ValueError):
    """The model contradicts itself or an operator's definition."""

    status = 7


class ShapesError(ApusError, ValueError):
    """The model leaves shapes open that must be given, or a given one does not fit."""

    status = 8


class WrongTensorError(ApusError, ValueError):
    """A tensor has another element type, shape or size than is wanted."""

    status = 9


class NoSuchProgramError(ApusError, LookupError):
    """The model holds no program for this precision or these shapes."""

    status = 10


class CannotBindError(ApusError):
    """The memory cannot be used without a copy."""

    status = 11


class FaultError(ApusError):
    """The data made the computation impossible, such as an index out of range."""

    status = 12


class OutOfMemoryError(ApusError, MemoryError):
    """There is not enough memory."""

    status = 13


class OutOfThreadsError(ApusError):
    """The system allows no more threads."""

    status = 14


class CancelledError(ApusError):
    """The run or the compilation was cancelled."""

    status = 15


class NotWritableError(ApusError, OSError):
    """The file cannot be written there."""

    status = 16


class DiskFullError(ApusError, OSError):
    """The disk is full."""

    status = 17


class UnavailableError(ApusError):
    """This machine or this library cannot do it."""

    status = 18


class InternalError(ApusError):
    """Apus contradicts itself; please report it."""

    status = 19


_BY_STATUS: dict[int, type[ApusError]] = {
    kind.status: kind
    for kind in (
        InvalidArgumentError,
        InvalidHandleError,
        BusyError,
        UnreadableError,
        MalformedError,
        UnsupportedError,
        InvalidModelError,
        ShapesError,
        WrongTensorError,
        NoSuchProgramError,
        CannotBindError,
        FaultError,
        OutOfMemoryError,
        OutOfThreadsError,
        CancelledError,
        NotWritableError,
        DiskFullError,
        UnavailableError,
        InternalError,
    )
}


def error(status: int, message: str) -> ApusError:
    """The exception for a status."""
    return _BY_STATUS.get(status, ApusError)(message)
