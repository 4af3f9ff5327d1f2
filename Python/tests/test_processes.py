"""Forks, spawned processes, memory over many runs."""

import multiprocessing
import os
import sys
import traceback

import numpy as np
import pytest

import apus


def in_child(body) -> None:
    """Runs a body in a forked child; what fails there fails here."""
    child = os.fork()
    if child == 0:
        try:
            body()
        except BaseException:  # noqa: BLE001 - the parent reports it
            traceback.print_exc()
            sys.stderr.flush()
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_sessions_made_before_a_fork_work_in_the_child(slow, tmp_path):
    path = tmp_path / "slow.apus"
    apus.compile(slow, path, proof=False).close()
    x = np.random.default_rng(1).normal(size=(1024, 1024)).astype(np.float32)
    with apus.load(path) as model, model.session(threads=2) as session:
        expected = session(x)[0].copy()

        def body() -> None:
            # The worker threads are not in the child: the pool is made anew.
            np.testing.assert_array_equal(session(x)[0], expected)
            with model.session(threads=2) as other:
                np.testing.assert_array_equal(other(x)[0], expected)
            before = apus.live_counts().models
            with apus.load(path):
                assert apus.live_counts().models == before + 1
            with pytest.raises(apus.UnreadableError):
                apus.load("/nowhere.apus")

        in_child(body)
        np.testing.assert_array_equal(session(x)[0], expected)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_compiler_works_in_a_child(product, x, expected):
    def body() -> None:
        with apus.load(product) as model:
            np.testing.assert_allclose(model(x)[0], expected, rtol=1e-5)

    in_child(body)


def _run(path: str, x: np.ndarray) -> np.ndarray:
    with apus.load(path) as model:
        return model(x)[0].copy()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_pools_of_processes_run_models(program, x, expected, method):
    context = multiprocessing.get_context(method)
    with context.Pool(2) as pool:
        for y in pool.starmap(_run, [(str(program), x)] * 4):
            np.testing.assert_allclose(y, expected, rtol=1e-5)


def resident() -> int:
    """The bytes of this process's own memory."""
    with open("/proc/self/statm") as file:
        fields = file.read().split()
    return (int(fields[1]) - int(fields[2])) * os.sysconf("SC_PAGESIZE")


def test_memory_does_not_grow_over_many_runs(program, product, x):
    with apus.load(program) as model, model.session() as session:
        for _ in range(500):
            session(x)
        before = resident()
        for _ in range(20_000):
            session(x)
        assert resident() - before < 2 << 20
    for _ in range(20):
        apus.load(program).session()(x)
    before = resident()
    for _ in range(300):
        apus.load(program).session()(x)
    assert resident() - before < 4 << 20
    for _ in range(20):
        apus.compile(product, proof=False).close()
    before = resident()
    for _ in range(100):
        apus.compile(product, proof=False).close()
    assert resident() - before < 8 << 20
