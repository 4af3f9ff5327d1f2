"""Closing, using after closing, two threads at once."""

import gc
import threading
import time

import numpy as np
import pytest

import apus
from apus._library import library


def test_closing_twice_is_allowed(product):
    model = apus.load(product)
    session = model.session()
    for _ in range(2):
        session.close()
        model.close()


def test_using_after_closing_is_an_error(product, x):
    model = apus.load(product)
    session = model.session()
    session.close()
    for use in (
        lambda: session(x),
        lambda: session.memory,
        lambda: session.cancel(),
        lambda: session.input_array("x"),
    ):
        with pytest.raises(apus.InvalidHandleError, match="no session with this handle"):
            use()
    model.close()
    with pytest.raises(apus.InvalidHandleError, match="no model with this handle"):
        model.session()
    with pytest.raises(apus.InvalidHandleError):
        assert model.description
    assert "closed" in repr(model) and "closed" in repr(session)


def test_a_handle_of_another_kind_is_an_error(product):
    with apus.load(product) as model:
        with pytest.raises(apus.InvalidHandleError, match="of a model, and a session is wanted"):
            library.apus_session_run(model._handle)


def test_sessions_outlive_their_model(product, x, expected):
    with apus.load(product) as model:
        session = model.session()
    np.testing.assert_allclose(session(x)[0], expected, rtol=1e-5)
    session.close()


def test_what_nobody_refers_to_is_released(product, x):
    before = apus.live_counts()
    model = apus.load(product)
    outputs = model.session()(x)
    gc.collect()
    assert apus.live_counts().models == before.models + 1
    assert apus.live_counts().sessions == before.sessions
    # The outputs are arrays of their own.
    assert apus.live_counts().values == before.values
    assert outputs[0].base is None
    del model, outputs
    gc.collect()
    assert apus.live_counts() == before


def test_a_second_thread_gets_a_clean_error(slow, tmp_path):
    path = tmp_path / "slow.apus"
    apus.compile(slow, path, proof=False).close()
    x = np.zeros((1024, 1024), np.float32)
    with apus.load(path) as model, model.session(threads=1) as session:
        started = threading.Event()
        caught: list[BaseException] = []

        def work() -> None:
            started.set()
            try:
                session(x)
            except apus.CancelledError as error:
                caught.append(error)

        thread = threading.Thread(target=work)
        thread.start()
        started.wait()
        busy = None
        end = time.monotonic() + 20
        while thread.is_alive() and time.monotonic() < end:
            try:
                session.memory
            except apus.BusyError as error:
                busy = error
                break
        assert busy is not None and "one session per thread" in str(busy)
        with pytest.raises(apus.BusyError):
            session.close()
        session.cancel()
        thread.join(20)
        assert not thread.is_alive()
        assert [type(error) for error in caught] in ([apus.CancelledError], [])
        # The session works on.
        assert session(x)[0].shape == (1024, 1024)


def test_cancelling_ends_a_run_early(slow, tmp_path):
    path = tmp_path / "slow.apus"
    apus.compile(slow, path, proof=False).close()
    x = np.ones((1024, 1024), np.float32)
    with apus.load(path) as model, model.session(threads=1) as session:
        start = time.monotonic()
        session(x)
        whole = time.monotonic() - start
        timer = threading.Timer(whole / 4, session.cancel)
        timer.start()
        start = time.monotonic()
        with pytest.raises(apus.CancelledError):
            session(x)
        assert time.monotonic() - start < whole
        timer.join()


def test_threads_with_sessions_of_their_own_run_together(program, x, expected):
    with apus.load(program) as model:
        failures: list[BaseException] = []

        def work() -> None:
            try:
                with model.session(threads=1) as session:
                    for _ in range(200):
                        np.testing.assert_allclose(session(x)[0], expected, rtol=1e-5)
            except BaseException as error:  # noqa: BLE001 - reported below
                failures.append(error)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []


def test_messages_belong_to_their_thread(product):
    seen: dict[int, str] = {}
    barrier = threading.Barrier(8)

    def work(number: int) -> None:
        barrier.wait()
        for _ in range(100):
            try:
                apus.load(f"/nowhere/{number}.onnx")
            except apus.UnreadableError as error:
                seen[number] = str(error)
                assert f"/nowhere/{number}.onnx" in str(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 8
    assert all(f"/nowhere/{number}.onnx" in text for number, text in seen.items())
