"""apus.backend as the ONNX package uses backends."""

import subprocess
import sys

import numpy as np
import onnx
import pytest
from conftest import model_of
from onnx import TensorProto, helper

import apus.backend as backend


def test_runs_models(product, x, expected):
    rep = backend.prepare(product)
    np.testing.assert_allclose(rep.run([x])[0], expected, rtol=1e-5)
    np.testing.assert_allclose(rep.run({"x": x})[0], expected, rtol=1e-5)
    np.testing.assert_allclose(rep.run(x)[0], expected, rtol=1e-5)
    np.testing.assert_allclose(backend.run_model(product, [x])[0], expected, rtol=1e-5)


@pytest.mark.parametrize("options", [{"isa": "portable"}, {"threads": 1}, {"through_file": True}])
def test_takes_the_options_of_sessions(product, x, expected, options):
    np.testing.assert_allclose(
        backend.run_model(product, [x], "CPU", **options)[0], expected, rtol=1e-5
    )


def test_runs_nodes():
    a = np.array([[1, -2]], np.float32)
    (y,) = backend.run_node(helper.make_node("Relu", ["a"], ["y"]), [a])
    np.testing.assert_array_equal(y, [[1, 0]])
    node = helper.make_node("Gemm", ["a", "b"], ["y"], transB=1)
    (y,) = backend.run_node(node, {"a": a, "b": a}, opset_version=13)
    np.testing.assert_array_equal(y, [[5]])


def test_knows_its_devices_and_limits(product):
    assert backend.supports_device("CPU")
    assert backend.supports_device("CPU:0")
    assert not backend.supports_device("CUDA")
    assert not backend.supports_device("nonsense")
    assert backend.is_compatible(product)
    assert not backend.is_compatible(product, "CUDA")
    unknown = model_of(
        [helper.make_node("Vanish", ["x"], ["y"], domain="my.own")],
        [("x", TensorProto.FLOAT, [1])],
        [("y", TensorProto.FLOAT, [1])],
    )
    unknown.opset_import.append(helper.make_opsetid("my.own", 1))
    assert not backend.is_compatible(unknown)
    with pytest.raises(ValueError, match="CPU"):
        backend.prepare(product, "CUDA")


def test_is_a_backend_of_onnx():
    assert issubclass(backend.ApusBackend, onnx.backend.base.Backend)


def test_computes_by_itself(product, tmp_path):
    """Neither ONNX Runtime nor the reference evaluator can be imported where it runs."""
    path = tmp_path / "m.onnx"
    onnx.save(product, path)
    script = f"""
import sys
for name in ("onnxruntime", "onnx.reference"):
    sys.modules[name] = None
import numpy as np, onnx, apus.backend
x = np.ones((2, 3), np.float32)
y = apus.backend.run_model(onnx.load({str(path)!r}), [x])[0]
assert y.shape == (2, 4)
loaded = [n for n in sys.modules if n.startswith(("onnxruntime", "onnx.reference"))]
assert sorted(loaded) == ["onnx.reference", "onnxruntime"], loaded
"""
    subprocess.run([sys.executable, "-c", script], check=True)
