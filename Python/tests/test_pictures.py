"""Preprocessing and kits on arrays: the sample detector finds what it should."""

import json

import numpy as np
import pytest
from conftest import DETECTOR_POSTPROCESSING, DETECTOR_PREPROCESSING, ROOT
from PIL import Image

import apus


@pytest.fixture(scope="module")
def compiled(detector, tmp_path_factory):
    path = tmp_path_factory.mktemp("detector") / "detector.apus"
    apus.compile(
        detector,
        path,
        preprocess=DETECTOR_PREPROCESSING,
        postprocess=DETECTOR_POSTPROCESSING,
        proof=False,
    ).close()
    return path


def picture_and_truth(index: int):
    truth = json.loads((ROOT / "Samples/pictures/validation.json").read_text())
    image = truth["images"][index]
    picture = np.asarray(
        Image.open(ROOT / "Samples/pictures/validation" / image["file_name"]).convert("RGB")
    )
    boxes = [a["bbox"] for a in truth["annotations"] if a["image_id"] == image["id"]]
    return picture, boxes


def overlap(a, b) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    common = max(width, 0) * max(height, 0)
    areas = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1])
    return common / (areas - common)


def test_the_detector_finds_the_objects(compiled):
    found_boxes = 0
    with apus.load(compiled) as model, model.session() as session:
        (info,) = model.inputs
        prepare = apus.Preprocessing(model.preprocessing[info.name], info)
        detect = apus.Postprocessing(model.postprocessing)
        for index in range(5):
            picture, boxes = picture_and_truth(index)
            # Straight into the session's memory.
            _, (mapping,) = prepare(picture, out=session.input_array(info.name))
            objects = detect(session.run({}), mapping)
            assert session.copies == {}
            for x, y, width, height in boxes:
                truth = (x, y, x + width, y + height)
                found_boxes += any(overlap(truth, item.box) > 0.5 for item in objects)
            assert all(item.label for item in objects)
            scores = [item.score for item in objects]
            assert scores == sorted(scores, reverse=True)
    assert found_boxes >= 5


def test_pictures_of_any_strides_give_the_same_tensor(compiled):
    picture, _ = picture_and_truth(0)
    with apus.load(compiled) as model:
        info = model.inputs[0]
        prepare = apus.Preprocessing(model.preprocessing[info.name], info)
        expected, mappings = prepare(picture)
        wide = np.zeros((picture.shape[0], picture.shape[1] + 9, 3), np.uint8)
        wide[:, : picture.shape[1]] = picture
        padded, again = prepare(wide[:, : picture.shape[1]])
        np.testing.assert_array_equal(padded, expected)
        assert again == mappings
        columns, _ = prepare(np.asfortranarray(picture))
        np.testing.assert_array_equal(columns, expected)
        swapped = apus.Preprocessing(model.preprocessing[info.name], info, order="bgr")
        np.testing.assert_array_equal(swapped(picture[:, :, ::-1])[0], expected)
        both, two = prepare([picture, picture])
        assert both.shape == (2, *expected.shape[1:]) and len(two) == 2
        np.testing.assert_array_equal(both[1], expected[0])
        del padded, columns, both, expected


def test_preprocessing_is_what_its_text_says():
    info = apus.TensorInfo("x", "tensor", np.dtype(np.float32), (1, 3, 4, 4))
    prepare = apus.Preprocessing("mean=10/20/30,std=2", info)
    picture = np.zeros((4, 4, 3), np.uint8) + np.array([10, 20, 40], np.uint8)
    tensor, (mapping,) = prepare(picture)
    np.testing.assert_allclose(tensor[0, :, 0, 0], [0, 0, 5])
    assert mapping == (4, 4, 4, 4, 4, 4, 0, 0)


def test_mistakes_are_errors():
    info = apus.TensorInfo("x", "tensor", np.dtype(np.float32), (1, 3, 4, 4))
    with pytest.raises(apus.InvalidArgumentError, match="did you mean|resize"):
        apus.Preprocessing("resise=letterbox", info)
    with pytest.raises(apus.InvalidArgumentError, match="did you mean 'yolov5'"):
        apus.Postprocessing("yolov9")
    with pytest.raises(apus.InvalidArgumentError):
        apus.Preprocessing("size=9x9", info)
    prepare = apus.Preprocessing("resize=stretch", info)
    with pytest.raises(apus.WrongTensorError, match="H×W×3"):
        prepare(np.zeros((4, 4, 3), np.float32))
    with pytest.raises(apus.WrongTensorError, match="sample 0"):
        prepare(np.zeros((4, 4, 3), np.uint8), out=np.zeros((1, 3, 2, 2), np.float32))
    detect = apus.Postprocessing("classification")
    with pytest.raises(apus.WrongTensorError, match="classification"):
        detect({"y": np.zeros((1, 3, 2), np.float32)}, apus.Mapping(4, 4, 4, 4, 4, 4, 0, 0))
