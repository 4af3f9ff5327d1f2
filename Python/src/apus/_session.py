"""Sessions: running a model."""

from __future__ import annotations

import ctypes
import weakref
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple


from . import _errors, _library, _memory, _types
from ._library import library
from ._types import Array, TensorInfo

if TYPE_CHECKING:
    from ._model import Model


class Memory(NamedTuple):
    """The memory of a session, in bytes, by kind."""

    #: Shared by all sessions of the model.
    weights: int
    #: Intermediate results.
    arena: int
    #: Working space inside instructions.
    scratch: int
    #: Inputs and outputs.
    io: int


def _release(handle: int) -> None:
    try:
        library.apus_session_release(handle)
    except _errors.ApusError:
        pass


class _Place:
    """Where an output lies. It hardly ever moves, and arrays take longer to make than to copy."""

    def __init__(self) -> None:
        self.tensor = _library.Tensor()
        self._known = b""
        self._array: Any = None

    def array(self) -> Array:
        """An array on the memory that ``tensor`` names."""
        known = bytes(self.tensor)
        if known != self._known:
            self._array = _memory.shown(self.tensor, None)
            self._known = known
        array: Array = self._array
        return array


class Session:
    """One running instance of a model, for one thread at a time.

    Made by :meth:`Model.session`. A context manager; closing it frees its memory. A second thread
    that uses it meanwhile gets a :class:`BusyError`.
    """

    def __init__(self, model: Model, options: _library.SessionOptions) -> None:
        self._handle = _library.opened(library.apus_session_open, model._handle, options)
        self._finalizer = weakref.finalize(self, _release, self._handle)
        handle = self._handle
        self.inputs: tuple[TensorInfo, ...] = tuple(
            _types.tensor_info(library.apus_session_input, handle, index)
            for index in range(_library.count(library.apus_session_input_count, handle))
        )
        self.outputs: tuple[TensorInfo, ...] = tuple(
            _types.tensor_info(library.apus_session_output, handle, index)
            for index in range(_library.count(library.apus_session_output_count, handle))
        )
        self._copies: dict[str, str] = {}
        # What is bound, by place, so that it stays alive.
        self._bound_inputs: dict[int, Array] = {}
        self._bound_outputs: dict[int, Array] = {}
        # The inputs whose own memory was handed out to be filled.
        self._filled: set[int] = set()
        # The outputs that lay in the same place after every run so far, by place.
        self._places = {
            index: _Place()
            for index, info in enumerate(self.outputs)
            if info.kind == "tensor" and _types.is_fixed(info)
        }

    # Life

    def close(self) -> None:
        """Releases the session and its memory. Closing twice is allowed.

        Raises:
            BusyError: another thread is running it.
        """
        if self._finalizer.alive:
            library.apus_session_release(self._handle)
            self._finalizer.detach()
            self._bound_inputs.clear()
            self._bound_outputs.clear()

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # What it is

    @property
    def memory(self) -> Memory:
        """The memory of the session; zeros where it runs in stages."""
        info = self._info()
        return Memory(info.weight_size, info.arena_size, info.scratch_size, info.io_size)

    @property
    def threads(self) -> int:
        """The threads of a run, the caller's own among them."""
        return int(self._info().thread_count)

    def _info(self) -> _library.SessionInfo:
        info = _library.SessionInfo()
        library.apus_session_describe(self._handle, info, ctypes.sizeof(info))
        return info

    @property
    def copies(self) -> dict[str, str]:
        """Which inputs and outputs the last run copied, by name, and why.

        What is missing here was used in place.
        """
        return dict(self._copies)

    @property
    def bound(self) -> tuple[str, ...]:
        """The names of inputs and outputs that are bound to arrays."""
        return tuple(self.inputs[index].name for index in sorted(self._bound_inputs)) + tuple(
            self.outputs[index].name for index in sorted(self._bound_outputs)
        )

    # Running

    def __call__(self, *arrays: Any, **named: Any) -> list[Any]:
        """Runs on arrays, in the order of the inputs or by name.

        An array from :func:`apus.empty`, dense and of the right shape, is read in place; all
        others are copied once; ``copies`` says which and why. An input that was bound may be left
        out.

        Returns:
            The outputs in order: arrays, lists for sequences, None for absent optionals. They
            stay valid; bound outputs are the bound arrays themselves.
        """
        if arrays and named:
            raise _errors.InvalidArgumentError("give all inputs in order, or all by name")
        given: dict[int, Any] = {}
        if len(arrays) > len(self.inputs):
            raise _errors.InvalidArgumentError(
                f"{len(arrays)} arrays for {len(self.inputs)} inputs"
            )
        given.update(enumerate(arrays))
        for name, value in named.items():
            given[self._place(name, self.inputs, "input")] = value
        return self._run(given)

    def run(self, inputs: Mapping[str, Any] | Sequence[Any]) -> dict[str, Any]:
        """Runs on a mapping from names to arrays, or on arrays in order.

        Returns:
            The outputs by name, as from calling the session.
        """
        if isinstance(inputs, Mapping):
            places = {self._place(name, self.inputs, "input"): v for name, v in inputs.items()}
            results = self._run(places)
        else:
            results = self(*inputs)
        return {info.name: value for info, value in zip(self.outputs, results)}

    def cancel(self) -> None:
        """Ends the run that another thread is doing, which then raises CancelledError."""
        library.apus_session_cancel(self._handle)

    def _place(self, name: str, infos: tuple[TensorInfo, ...], kind: str) -> int:
        for index, info in enumerate(infos):
            if info.name == name:
                return index
        names = ", ".join(f'"{info.name}"' for info in infos)
        raise _errors.InvalidArgumentError(f'there is no {kind} "{name}"; there are {names}')

    def _run(self, given: dict[int, Any]) -> list[Any]:
        copies: dict[str, str] = {}
        keep: list[Any] = []
        transient: list[int] = []
        try:
            for index, info in enumerate(self.inputs):
                if index in given:
                    self._set(index, info, given[index], copies, keep, transient)
                elif index not in self._bound_inputs and index not in self._filled:
                    raise _errors.InvalidArgumentError(f'input "{info.name}" is not given')
            library.apus_session_run(self._handle)
            results = [self._result(index, copies) for index in range(len(self.outputs))]
        finally:
            # The caller's arrays are not looked at after the call.
            for index in transient:
                library.apus_session_bind_input(self._handle, index, None)
        self._copies = copies
        return results

    def _set(
        self,
        index: int,
        info: TensorInfo,
        value: Any,
        copies: dict[str, str],
        keep: list[Any],
        transient: list[int],
    ) -> None:
        self._bound_inputs.pop(index, None)
        if value is None or isinstance(value, (list, tuple)) and info.kind != "tensor":
            handle = _memory.made(value)
            try:
                library.apus_session_set_value(self._handle, index, handle)
            finally:
                library.apus_value_release(handle)
            copies[info.name] = "sequences and optionals are copied"
            return
        tensor, alive, reason = _memory.prepared(value)
        keep.append(alive)
        if reason is None:
            reason = self._bind(library.apus_session_bind_input, index, alive, tensor)
            if reason is None:
                transient.append(index)
                return
        library.apus_session_set_input(self._handle, index, tensor)
        copies[info.name] = reason

    def _bind(
        self, function: Any, index: int, array: Array, tensor: _library.Tensor
    ) -> str | None:
        """Binds an array; returns why it cannot be done."""
        block = _memory.block_of(array)
        if block is None:
            return "it is not from apus.empty, so it may be unaligned and end at a page"
        address = array.ctypes.data
        if address % _library.ALIGNMENT:
            return f"it begins at no multiple of {_library.ALIGNMENT} bytes"
        tensor.size = block.address + block.size + block.slack - address
        if tensor.size < array.nbytes + _library.SLACK:
            return f"fewer than {_library.SLACK} bytes may be read behind it"
        try:
            function(self._handle, index, tensor)
        except _errors.CannotBindError as error:
            tensor.size = array.nbytes
            return str(error)
        return None

    def _result(self, index: int, copies: dict[str, str]) -> Any:
        if index in self._bound_outputs:
            return self._bound_outputs[index]
        place = self._places.get(index)
        if place is not None:
            library.apus_session_output_view(self._handle, index, place.tensor)
            return place.array().copy()
        return _memory.taken(
            _library.opened(library.apus_session_output_value, self._handle, index)
        )

    # Memory

    def input_array(self, name: str) -> Array:
        """The session's own memory of an input, to be filled in place before each run.

        The array must not be used after the session is closed.

        Raises:
            CannotBindError: the session has no such memory before a run.
        """
        index = self._place(name, self.inputs, "input")
        tensor = _library.Tensor()
        library.apus_session_input_memory(self._handle, index, tensor)
        self._filled.add(index)
        return _memory.shown(tensor, self)

    def bind_input(self, name: str, array: Array) -> None:
        """Makes all further runs read an input from an array of :func:`apus.empty`.

        Raises:
            CannotBindError: the array cannot be read in place; the text says why.
            WrongTensorError: another element type or shape.
        """
        index = self._place(name, self.inputs, "input")
        tensor, alive, reason = _memory.prepared(array)
        if reason is None:
            reason = self._bind(library.apus_session_bind_input, index, alive, tensor)
        if reason is not None:
            raise _errors.CannotBindError(f'input "{name}" cannot be bound: {reason}')
        self._bound_inputs[index] = alive

    def bind_output(self, name: str, array: Array) -> None:
        """Makes all further runs write an output into an array of :func:`apus.empty`.

        Raises:
            CannotBindError: the array cannot be written in place; the text says why.
            WrongTensorError: another element type or shape.
        """
        index = self._place(name, self.outputs, "output")
        tensor, alive, reason = _memory.prepared(array)
        if reason is None:
            reason = self._bind(library.apus_session_bind_output, index, alive, tensor)
        if reason is not None:
            raise _errors.CannotBindError(f'output "{name}" cannot be bound: {reason}')
        self._bound_outputs[index] = alive

    def output_view(self, name: str) -> Array:
        """An output of the last run where it lies: no copy, read only, until the next run."""
        index = self._place(name, self.outputs, "output")
        tensor = _library.Tensor()
        library.apus_session_output_view(self._handle, index, tensor)
        array = _memory.shown(tensor, self)
        array.flags.writeable = False
        return array

    def __repr__(self) -> str:
        state = "" if self._finalizer.alive else "closed "
        return f"<{state}apus.Session {list(self.inputs)} -> {list(self.outputs)}>"


def _options(
    precision: str | None, shapes: Any, isa: str | None, threads: int | None
) -> _library.SessionOptions:
    """The options of a session."""
    options = _library.SessionOptions()
    options.size = ctypes.sizeof(options)
    options.precision = _library.encoded(precision)
    options.shapes = _library.encoded(_types.shapes_text(shapes))
    options.isa = _library.encoded(isa)
    options.threads = threads or 0
    return options


options = _options
__all__ = ["Memory", "Session", "options"]
