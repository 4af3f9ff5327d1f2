"""Measures the exported detector with ONNX Runtime and pycocotools: `python evaluate.py`.

Prints COCO's twelve figures for `pictures/validation` and, with `--show DIR`, draws the boxes.
"""

import argparse
import contextlib
import io
import json
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from letterbox import as_input, letterbox

HERE = Path(__file__).resolve().parent


def suppress(boxes, scores, limit):
    """Greedy non-maximum suppression; boxes are (left, top, right, bottom). Returns indices."""
    left, top, right, bottom = boxes.T
    sizes = (right - left) * (bottom - top)
    order, kept = scores.argsort(kind="stable")[::-1], []
    while len(order):
        first, rest = order[0], order[1:]
        kept.append(first)
        across = np.minimum(right[first], right[rest]) - np.maximum(left[first], left[rest])
        down = np.minimum(bottom[first], bottom[rest]) - np.maximum(top[first], top[rest])
        shared = across.clip(0) * down.clip(0)
        order = rest[shared / (sizes[first] + sizes[rest] - shared) <= limit]
    return np.array(kept, int)


def detect(session, picture, least_score=0.001, iou=0.65, most=100):
    """Objects in a BGR picture as rows (class, score, left, top, right, bottom), best first."""
    square, scale, (left, top) = letterbox(picture)
    output = session.run(None, {"images": as_input(square)})[0][0]
    kinds, scores = output[4:].argmax(0), output[4:].max(0)
    sure = scores > least_score
    x, y, w, h = output[:4, sure]
    kinds, scores = kinds[sure], scores[sure]
    boxes = np.stack([x - w / 2, y - h / 2, x + w / 2, y + h / 2], 1)
    # Classes are kept apart by moving each to its own place.
    kept = suppress(boxes + kinds[:, None] * 4096.0, scores, iou)[:most]
    boxes = (boxes[kept] - np.tile([left, top], 2)) / scale
    height, width = picture.shape[:2]
    boxes = boxes.clip(0, [width, height, width, height])
    return np.column_stack([kinds[kept], scores[kept], boxes])


def draw(picture, rows, least_score=0.4):
    for kind, score, *box in rows[rows[:, 1] >= least_score]:
        left, top, right, bottom = (int(v) for v in box)
        cv2.rectangle(picture, (left, top), (right, bottom), (0, 255, 0), 1)
        cv2.putText(picture, f"{int(kind)} {score:.2f}", (left, max(top - 3, 9)),
                    cv2.FONT_HERSHEY_SIMPLEX, 0.35, (0, 255, 255), 1)
    return picture


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=HERE / "detector" / "detector.onnx")
    parser.add_argument("--pictures", type=Path, default=HERE / "pictures" / "validation")
    parser.add_argument("--labels", type=Path, default=HERE / "pictures" / "validation.json")
    parser.add_argument("--show", type=Path, help="folder for pictures with boxes")
    options = parser.parse_args()
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(options.model, settings, ["CPUExecutionProvider"])
    found = []
    for image in json.loads(options.labels.read_text(encoding="utf-8"))["images"]:
        picture = cv2.imread(str(options.pictures / image["file_name"]))
        rows = detect(session, picture)
        for kind, score, left, top, right, bottom in rows.tolist():
            found.append({"image_id": image["id"], "category_id": int(kind) + 1, "score": score,
                          "bbox": [left, top, right - left, bottom - top]})
        if options.show:
            options.show.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(options.show / image["file_name"]), draw(picture, rows))
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(options.labels)
        score = COCOeval(truth, truth.loadRes(found), "bbox")
        score.evaluate()
        score.accumulate()
    score.summarize()


if __name__ == "__main__":
    main()
