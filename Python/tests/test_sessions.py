"""Running: arrays in and out, in place or copied."""

import numpy as np
import pytest

import apus


def test_by_order_by_name_and_by_mapping(program, x, expected):
    with apus.load(program) as model, model.session() as session:
        np.testing.assert_allclose(session(x)[0], expected, rtol=1e-5)
        np.testing.assert_allclose(session(x=x)[0], expected, rtol=1e-5)
        np.testing.assert_allclose(session.run({"x": x})["y"], expected, rtol=1e-5)
        np.testing.assert_allclose(session.run([x])["y"], expected, rtol=1e-5)
        with pytest.raises(apus.InvalidArgumentError, match='there are "x"'):
            session(z=x)
        with pytest.raises(apus.InvalidArgumentError, match="is not given"):
            session.run({})
        with pytest.raises(apus.InvalidArgumentError, match="2 arrays for 1"):
            session(x, x)


def test_outputs_stay_as_they_were(program, x):
    with apus.load(program) as model, model.session() as session:
        first = session(x)[0]
        kept = first.copy()
        session(-x)
        np.testing.assert_array_equal(first, kept)
    np.testing.assert_array_equal(first, kept)


def test_wrong_types_and_shapes_are_errors(program, x):
    with apus.load(program) as model, model.session() as session:
        with pytest.raises(apus.WrongTensorError, match="float64"):
            session(x.astype(np.float64))
        with pytest.raises(apus.WrongTensorError, match="3x2"):
            session(np.ascontiguousarray(x.T))
        with pytest.raises(apus.WrongTensorError, match="cannot be passed"):
            session(np.array(["a", "b"]))
        with pytest.raises(apus.WrongTensorError):
            session.bind_input("x", apus.empty((5, 5)))


def test_says_what_it_copies_and_why(program, x, expected):
    with apus.load(program) as model, model.session() as session:
        session(x)
        assert "apus.empty" in session.copies["x"]
        strided = np.repeat(x, 2, axis=1)[:, ::2]
        np.testing.assert_allclose(session(strided)[0], expected, rtol=1e-5)
        assert "one after the other" in session.copies["x"]
        big = x.astype(">f4")
        np.testing.assert_allclose(session(big)[0], expected, rtol=1e-5)
        assert "big-endian" in session.copies["x"]
        mine = apus.empty((2, 3))
        mine[:] = x
        np.testing.assert_allclose(session(mine)[0], expected, rtol=1e-5)
        assert session.copies == {}
        # Inside memory of apus.empty, but not where a line begins.
        shifted = apus.empty(7)[1:].reshape(2, 3)
        shifted[:] = x
        np.testing.assert_allclose(session(shifted)[0], expected, rtol=1e-5)
        assert "multiple of 64" in session.copies["x"]


def test_reads_in_place_during_the_call_only(program, x, expected):
    with apus.load(program) as model, model.session() as session:
        mine = apus.empty((2, 3))
        mine[:] = x
        session(mine)
        mine[:] = 0
        assert session.bound == ()
        with pytest.raises(apus.InvalidArgumentError, match="is not given"):
            session.run({})
        np.testing.assert_allclose(session(x)[0], expected, rtol=1e-5)


def test_bound_arrays_are_used_in_every_run(program, x, expected):
    with apus.load(program) as model, model.session() as session:
        source, target = apus.empty((2, 3)), apus.empty((2, 4))
        session.bind_input("x", source)
        session.bind_output("y", target)
        assert session.bound == ("x", "y")
        for factor in (1, 2, 0):
            source[:] = x * factor
            (y,) = session()
            assert y is target
            assert session.copies == {}
            np.testing.assert_allclose(y, expected * factor, rtol=1e-5)
        with pytest.raises(apus.CannotBindError, match="apus.empty"):
            session.bind_input("x", x)
        with pytest.raises(apus.CannotBindError, match="one after the other"):
            session.bind_output("y", apus.empty((2, 8))[:, ::2])


def test_input_memory_is_filled_in_place(program, x, expected):
    with apus.load(program) as model, model.session() as session:
        memory = session.input_array("x")
        memory[:] = x
        (y,) = session()
        np.testing.assert_allclose(y, expected, rtol=1e-5)
        assert session.copies == {}
        view = session.output_view("y")
        np.testing.assert_array_equal(view, y)
        assert not view.flags.writeable
        del memory, view


def test_outputs_of_earlier_runs_stay_as_they_were(program, x, expected):
    with apus.load(program) as model, model.session() as session:
        (first,) = session(x)
        (second,) = session(2 * x)
        np.testing.assert_allclose(first, expected, rtol=1e-5)
        assert not np.array_equal(first, second)


def test_memory_and_threads_are_told(program):
    with apus.load(program) as model, model.session(threads=2) as session:
        assert session.threads == 2
        assert session.memory.weights > 0
        assert session.memory.io >= 2 * 3 * 4 + 2 * 4 * 4


def test_every_instruction_set_gives_the_result(program, x, expected):
    with apus.load(program) as model:
        with model.session(isa="portable") as session:
            np.testing.assert_allclose(session(x)[0], expected, rtol=1e-5)
        with pytest.raises(apus.InvalidArgumentError, match="known are portable"):
            model.session(isa="mmx")
        with pytest.raises(apus.UnavailableError, match="lacks"):
            model.session(isa="neon")


def test_scalars_and_empty_arrays():
    from conftest import model_of
    from onnx import helper

    model = model_of(
        [helper.make_node("Add", ["a", "b"], ["y"])],
        [("a", 1, []), ("b", 1, ["n"])],
        [("y", 1, ["n"])],
    )
    with apus.load(model) as loaded, loaded.session() as session:
        y = session(np.float32(2), np.array([1, 2], np.float32))[0]
        np.testing.assert_array_equal(y, [3, 4])
        assert "no numpy array" in session.copies["a"]
        y = session(np.array(2, np.float32), np.zeros(0, np.float32))[0]
        assert y.shape == (0,)
