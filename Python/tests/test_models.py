"""Opening, describing, compiling and saving models."""

import numpy as np
import onnx
import pytest
from conftest import model_of
from onnx import TensorProto, helper

import apus


def test_version_is_the_librarys():
    assert apus.__version__ == apus.version()
    assert apus.version().count(".") == 2


def test_source_model_from_proto_bytes_and_path(product, x, expected, tmp_path):
    path = tmp_path / "m.onnx"
    onnx.save(product, path)
    for source in (product, product.SerializeToString(), path, str(path)):
        with apus.load(source) as model:
            np.testing.assert_allclose(model(x)[0], expected, rtol=1e-5)


def test_model_says_what_it_takes_and_gives(product):
    with apus.load(product) as model:
        (info,) = model.inputs
        assert (info.name, info.kind, info.dtype, info.shape) == ("x", "tensor", np.float32, (2, 3))
        assert model.outputs[0].shape == (2, 4)
        assert model.programs == ()
        assert "opset ai.onnx: 21" in model.description


def test_open_extents_have_their_names():
    model = model_of(
        [helper.make_node("Relu", ["x"], ["y"])],
        [("x", TensorProto.FLOAT, ["batch", 3, None])],
        [("y", TensorProto.FLOAT, ["batch", 3, None])],
    )
    with apus.load(model) as loaded:
        assert loaded.inputs[0].shape == ("batch", 3, None)


def test_open_extents_take_any_number():
    model = model_of(
        [helper.make_node("Relu", ["x"], ["y"])],
        [("x", TensorProto.FLOAT, ["batch", 3])],
        [("y", TensorProto.FLOAT, ["batch", 3])],
    )
    with apus.load(model) as loaded, loaded.session() as session:
        for batch in (1, 5, 2, 5):
            x = np.random.default_rng(batch).normal(size=(batch, 3)).astype(np.float32)
            np.testing.assert_array_equal(session(x)[0], np.maximum(x, 0))


def test_compiled_file_from_path_and_memory(program, x, expected):
    for source in (program, program.read_bytes()):
        with apus.load(source) as model:
            assert model.precisions == ("fp32",)
            assert model.programs[0].weights > 0
            assert model.programs[0].io >= x.nbytes + expected.nbytes
            assert model.programs[0].arena >= model.programs[0].io
            assert "proof: proven" in model.description
            np.testing.assert_allclose(model(x)[0], expected, rtol=1e-5)


def test_several_shapes_in_one_model(tmp_path):
    model = model_of(
        [helper.make_node("Relu", ["x"], ["y"])],
        [("x", TensorProto.FLOAT, ["n", 3])],
        [("y", TensorProto.FLOAT, ["n", 3])],
    )
    path = tmp_path / "two.apus"
    with apus.compile(model, path, shapes=[{"x": (1, 3)}, "x=4x3"]) as made:
        assert [program.inputs[0].shape for program in made.programs] == [(1, 3), (4, 3)]
    with apus.load(path) as loaded:
        with loaded.session(shapes={"x": (4, 3)}) as session:
            assert session.inputs[0].shape == (4, 3)
        with pytest.raises(apus.NoSuchProgramError, match="it holds"):
            loaded.session(shapes={"x": (9, 3)})


def test_bf16_programs_run(product, x, expected):
    with apus.compile(product, precision="bf16") as model:
        assert model.precisions == ("bf16",)
        y = model(x)[0]
        np.testing.assert_allclose(y, expected, rtol=0.03, atol=0.03)


def test_int8_is_calibrated_on_samples_or_ranges(product, x, expected):
    generator = np.random.default_rng(5)
    samples = [generator.normal(size=(2, 3)).astype(np.float32) for _ in range(16)]
    with apus.compile(product, precision="int8", samples=samples, method="minmax") as model:
        assert model.precisions == ("int8",)
        y = model(x)[0]
    # Two of three inputs are near zero: one step of the input's scale is what counts.
    np.testing.assert_allclose(y, expected, atol=0.15 * np.abs(expected).max())
    with pytest.raises(apus.InvalidArgumentError, match="samples"):
        apus.compile(product, precision="int8")
    with pytest.raises(apus.InvalidArgumentError, match="belong to precision int8"):
        apus.compile(product, precision="fp32", samples=samples)
    with pytest.raises(apus.InvalidArgumentError, match="known are auto"):
        apus.compile(product, precision="int8", samples=samples, method="best")


def test_progress_is_told_and_may_end_it(product):
    told = []
    apus.compile(product, progress=lambda *step: told.append(step)).close()
    assert ("compiling", 0, 1) in told
    assert told[-1] == ("proving", 1, 1)

    class Enough(Exception):
        pass

    def stop(phase, done, total):
        if phase == "proving":
            raise Enough(phase)

    with pytest.raises(Enough):
        apus.compile(product, progress=stop)


def test_what_is_not_compiled_cannot_be_saved(product, program, tmp_path):
    with apus.load(product) as model:
        with pytest.raises(apus.InvalidArgumentError, match="not compiled"):
            model.save(tmp_path / "x.apus")
    with apus.load(program) as model:
        with pytest.raises(apus.InvalidArgumentError, match="copy that file"):
            model.save(tmp_path / "x.apus")
        with pytest.raises(apus.InvalidArgumentError, match="compiled already"):
            apus.compile(model)
    with apus.compile(product) as model:
        with pytest.raises(apus.NotWritableError):
            model.save("/nonexistent/x.apus")


def test_errors_say_what_and_where(tmp_path, product):
    with pytest.raises(apus.UnreadableError, match="nothing.onnx"):
        apus.load(tmp_path / "nothing.onnx")
    with pytest.raises(OSError, match="nothing.apus"):
        apus.load(tmp_path / "nothing.apus")
    with pytest.raises(apus.MalformedError):
        apus.load(b"this is no model at all")
    with pytest.raises(apus.MalformedError):
        apus.load(b"")
    with pytest.raises(TypeError):
        apus.load(42)
    with pytest.raises(apus.InvalidArgumentError, match="precision"):
        apus.compile(product, precision="fp4")


def test_all_unsupported_nodes_are_named():
    nodes = [
        helper.make_node("Relu", ["x"], ["a"]),
        helper.make_node("Vanish", ["a"], ["b"], domain="my.own", name="first"),
        helper.make_node("Vanish", ["b"], ["c"], domain="my.own", name="second"),
        helper.make_node("Nothing", ["c"], ["y"], domain="my.own", name="third"),
    ]
    model = model_of(nodes, [("x", 1, [2])], [("y", 1, [2])])
    model.opset_import.append(helper.make_opsetid("my.own", 1))
    with pytest.raises(apus.UnsupportedError) as caught:
        apus.load(model)
    for name in ("first", "second", "third"):
        assert name in str(caught.value)


def test_external_data_stay_in_the_models_folder(tmp_path, x, expected, product):
    path = tmp_path / "m" / "m.onnx"
    path.parent.mkdir()
    copy = onnx.ModelProto.FromString(product.SerializeToString())
    onnx.save(copy, path, save_as_external_data=True, location="w.bin", size_threshold=0)
    with apus.load(path) as model:
        np.testing.assert_allclose(model(x)[0], expected, rtol=1e-5)
    data = path.read_bytes()
    with pytest.raises(apus.UnreadableError):
        apus.load(data)
    with apus.load(data, folder=path.parent) as model:
        np.testing.assert_allclose(model(x)[0], expected, rtol=1e-5)
    (tmp_path / "secret.bin").write_bytes((path.parent / "w.bin").read_bytes())
    (path.parent / "w.bin").unlink()
    (path.parent / "w.bin").symlink_to(tmp_path / "secret.bin")
    with pytest.raises(apus.MalformedError):
        apus.load(path)


def test_shapes_and_values_of_a_run_decide():
    """Reshape by a shape that is an input, then what is not zero."""
    model = model_of(
        [
            helper.make_node("Reshape", ["x", "shape"], ["r"]),
            helper.make_node("NonZero", ["r"], ["y"]),
        ],
        [("x", TensorProto.FLOAT, ["n"]), ("shape", TensorProto.INT64, ["rank"])],
        [("y", TensorProto.INT64, ["rank", "count"])],
    )
    with apus.load(model) as loaded, loaded.session() as session:
        for x, shape in (([1, 0, 2, 0], [2, 2]), ([0, 0, 0], [3, 1]), ([1, 1, 1, 1, 1, 0], [6])):
            array = np.array(x, np.float32)
            (y,) = session(array, np.array(shape, np.int64))
            np.testing.assert_array_equal(y, np.stack(np.nonzero(array.reshape(shape))))
        assert session.memory == (0, 0, 0, 0)
        with pytest.raises(apus.CannotBindError, match="no fixed memory"):
            session.input_array("x")
        with pytest.raises(apus.WrongTensorError, match="float64"):
            session(np.zeros(4), np.array([4], np.int64))


def test_sequences_and_optionals_go_in_and_come_out():
    sequence = helper.make_tensor_sequence_value_info("s", TensorProto.FLOAT, None)
    graph = helper.make_graph(
        [
            helper.make_node("SequenceInsert", ["s", "x"], ["t"]),
            helper.make_node("SequenceLength", ["t"], ["n"]),
        ],
        "g",
        [sequence, helper.make_tensor_value_info("x", TensorProto.FLOAT, None)],
        [
            helper.make_tensor_sequence_value_info("t", TensorProto.FLOAT, None),
            helper.make_tensor_value_info("n", TensorProto.INT64, []),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    a, b = np.ones((2, 3), np.float32), np.zeros(5, np.float32)
    with apus.load(model) as loaded, loaded.session() as session:
        assert [info.kind for info in session.inputs] == ["sequence", "tensor"]
        t, n = session([a], b)
        np.testing.assert_array_equal(t[0], a)
        np.testing.assert_array_equal(t[1], b)
        assert n == 2
        assert session([], b)[1] == 1
        with pytest.raises(apus.WrongTensorError):
            session(a, b)
