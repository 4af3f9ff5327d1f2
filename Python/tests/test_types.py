"""Every element type crosses the border in both directions with the same bits."""

import ml_dtypes
import numpy as np
import pytest

import apus
from apus import _memory, _types

NUMBERS = [1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26]


def everything(number: int, shape: tuple[int, ...]) -> np.ndarray:
    """An array of a type in which all bits vary."""
    kind = _types.dtype(number)
    count = int(np.prod(shape))
    codes = np.random.default_rng(number).integers(0, 256, count * kind.itemsize, np.uint8)
    width = _types.bits(number)
    if number == 9:
        return (codes & 1).astype(bool).reshape(shape)
    if width < 8:
        return _types.unpacked(codes, kind, width, shape)
    return codes.view(kind).reshape(shape)


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("shape", [(), (1,), (7,), (3, 5), (2, 0, 3)])
def test_values_keep_their_bits(number, shape):
    array = everything(number, shape)
    back = _memory.taken(_memory.made(array))
    assert back.dtype == array.dtype
    assert back.shape == array.shape
    assert back.tobytes() == array.tobytes()


def test_small_types_are_those_of_the_onnx_package():
    import onnx

    for number in NUMBERS:
        assert onnx.helper.tensor_dtype_to_np_dtype(number) == _types.dtype(number)


@pytest.mark.parametrize("name", ["int4", "uint4", "int2", "uint2", "float4_e2m1fn"])
def test_small_elements_are_packed_as_onnx_packs_them(name):
    from onnx import numpy_helper

    kind = np.dtype(getattr(ml_dtypes, name))
    number = _types.number(kind)
    array = everything(number, (13,))
    width = _types.bits(number)
    assert _types.packed(array, width).tobytes() == numpy_helper.from_array(array).raw_data


def test_sequences_and_absent_optionals_cross_the_border():
    value = [np.arange(3), np.ones((2, 2), np.float32), None]
    back = _memory.taken(_memory.made(value))
    np.testing.assert_array_equal(back[0], value[0])
    np.testing.assert_array_equal(back[1], value[1])
    assert back[2] is None
    assert _memory.taken(_memory.made([])) == []
    assert _memory.taken(_memory.made(None)) is None


def test_arrays_of_other_types_are_errors():
    for array in (np.array(["a"]), np.array([object()]), np.zeros(2, "M8[s]"), np.zeros(2, "f4,f4")):
        with pytest.raises(apus.WrongTensorError, match="cannot be passed"):
            _memory.made(array)
    with pytest.raises(apus.WrongTensorError, match="rank 17"):
        _memory.made(np.zeros((1,) * 17, np.float32))


@pytest.mark.parametrize("number", [1, 2, 3, 5, 6, 7, 9, 10, 11, 12, 13, 16])
def test_models_hand_them_through(identity, number):
    array = everything(number, (3, 5))
    with apus.load(identity(number)) as model:
        assert model.inputs[0].dtype == array.dtype
        (back,) = model(array)
    assert back.dtype == array.dtype
    assert back.tobytes() == array.tobytes()
