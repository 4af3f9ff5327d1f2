"""Runs numbered pieces of work in child processes, so that a crash or a hang is a result."""

import multiprocessing
import multiprocessing.connection
import os
import time


class Crash(Exception):
    """The process that did a piece of work died, or took too long."""


def work(function, numbers, pipe):
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    for number in numbers:
        pipe.send((number, None, None))
        try:
            pipe.send((number, function(number), None))
        except Exception as error:  # noqa: BLE001: whatever it is, it belongs to this case
            pipe.send((number, None, f"{type(error).__name__}: {error}"))
    pipe.close()


class Lane:
    """A child process and the numbers it still has to do."""

    def __init__(self, function, numbers):
        self.function, self.numbers = function, list(numbers)
        self.start()

    def start(self):
        self.pipe, far = multiprocessing.Pipe(duplex=False)
        self.current, self.since = None, time.monotonic()
        context = multiprocessing.get_context("fork")
        self.process = context.Process(target=work, args=(self.function, self.numbers, far))
        self.process.start()
        far.close()

    def lost(self, reason):
        """The child is gone: what it was at has failed; the rest goes on in a new one."""
        self.process.kill()
        self.process.join()
        self.pipe.close()
        number, self.current = self.current, None
        if number is None:
            raise Crash(f"a worker process cannot start: {reason}")
        self.start()
        return number, None, reason


def results(function, numbers, jobs=2, timeout=120):
    """Yields (number, result, error) of `function(number)` in any order; one of both is None."""
    numbers = list(numbers)
    lanes = [Lane(function, numbers[i::jobs]) for i in range(jobs) if numbers[i::jobs]]
    while lanes:
        ready = multiprocessing.connection.wait([lane.pipe for lane in lanes], timeout=1)
        for lane in list(lanes):
            if lane.pipe in ready:
                try:
                    number, result, error = lane.pipe.recv()
                except EOFError:
                    lane.process.join()
                    if not lane.numbers and lane.current is None:
                        lanes.remove(lane)
                        continue
                    yield lane.lost(f"crash: the process ended with {lane.process.exitcode}")
                    continue
                if result is None and error is None:
                    lane.numbers.remove(number)
                    lane.current, lane.since = number, time.monotonic()
                else:
                    lane.current = None
                    yield number, result, error
            elif lane.current is not None and time.monotonic() - lane.since > timeout:
                yield lane.lost(f"hang: no result after {timeout} s")
