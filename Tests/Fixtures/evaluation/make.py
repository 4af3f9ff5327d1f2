"""Makes the fixtures of MeanAveragePrecision with pycocotools: `python make.py`.

Each file holds pictures, what was found in them, and the figures that pycocotools gives. Seeded;
needed only to make the fixtures again (pip install pycocotools numpy).
"""

import contextlib
import io
import json
from pathlib import Path

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

HERE = Path(__file__).resolve().parent


def expected(categories, pictures):
    """COCO's figures: over all, and per category; None where there are no objects."""
    truth = {"images": [], "annotations": [],
             "categories": [{"id": c + 1, "name": f"class {c}"} for c in range(categories)]}
    found = []
    for number, picture in enumerate(pictures, 1):
        truth["images"].append({"id": number, "file_name": f"{number}.jpg"})
        for category, x, y, w, h, crowd, area in picture["truths"]:
            truth["annotations"].append({
                "id": len(truth["annotations"]) + 1, "image_id": number, "iscrowd": crowd,
                "category_id": category + 1, "bbox": [x, y, w, h], "area": area})
        for category, score, x, y, w, h in picture["found"]:
            found.append({"image_id": number, "category_id": category + 1, "score": score,
                          "bbox": [x, y, w, h]})
    with contextlib.redirect_stdout(io.StringIO()):
        reference = COCO()
        reference.dataset = truth
        reference.createIndex()
        evaluation = COCOeval(reference, reference.loadRes(found), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    # Thresholds, recalls, categories; all areas; 100 detections.
    precision = evaluation.eval["precision"][:, :, :, 0, 2]

    def mean(values):
        values = values[values > -1]
        return float(values.mean()) if values.size else None

    return {"all": [None if v == -1 else float(v) for v in evaluation.stats[:3]],
            "categories": [[mean(precision[:, :, c]), mean(precision[0, :, c]),
                            mean(precision[5, :, c])] for c in range(categories)]}


def box(random, width=640, height=480, least=4):
    w, h = random.uniform(least, width / 2), random.uniform(least, height / 2)
    return [random.uniform(0, width - w), random.uniform(0, height - h), w, h]


def shifted(random, rectangle, amount):
    x, y, w, h = rectangle
    return [x + random.normal(0, amount * w), y + random.normal(0, amount * h),
            w * np.exp(random.normal(0, amount)), h * np.exp(random.normal(0, amount))]


def scene(random, categories, most, crowds=0.0, clutter=3, ties=False, twins=0.0):
    truths, found = [], []
    for _ in range(random.integers(0, most + 1)):
        category, rectangle = int(random.integers(categories)), box(random)
        crowd = int(random.random() < crowds)
        truths.append([category, *rectangle, crowd, rectangle[2] * rectangle[3] * 0.7])
        if random.random() < twins:
            truths.append(list(truths[-1]))
        for _ in range(random.integers(0, 8 if crowd else 3)):
            kind = category if random.random() < 0.9 else int(random.integers(categories))
            found.append([kind, random.random(), *shifted(random, rectangle, 0.08)])
    for _ in range(random.integers(0, clutter + 1)):
        found.append([int(random.integers(categories)), random.random() ** 2, *box(random)])
    for row in found:
        row[1] = round(row[1] * 4) / 4 if ties else round(row[1], 6)
        row[2:] = [round(float(v), 3) for v in row[2:]]
    for row in truths:
        row[1:5] = [round(float(v), 3) for v in row[1:5]]
        row[6] = round(float(row[6]), 3)
    return {"truths": truths, "found": found}


def crowded(random):
    """More than 100 detections of one category in a picture, good ones among the last."""
    truths, found = [], []
    for index in range(30):
        rectangle = [20.0 * index, 10.0, 18.0, 40.0]
        truths.append([0, *rectangle, 0, 720.0])
        for copy in range(6):
            found.append([0, round(random.random(), 3),
                          *[round(float(v), 3) for v in shifted(random, rectangle, 0.03 * copy)]])
    return {"truths": truths, "found": found}


def exact():
    """Overlaps that lie on thresholds, touch, or are complete; boxes without area."""
    return {"truths": [[0, 0, 0, 10, 10, 0, 100], [0, 100, 0, 10, 10, 0, 100],
                       [1, 0, 0, 100, 100, 1, 1e4], [1, 0, 0, 20, 20, 0, 400],
                       [2, 50, 50, 0, 0, 0, 0], [2, 0, 0, 8, 8, 0, 2e10]],
            "found": [[0, 0.9, 0, 0, 10, 5], [0, 0.8, 0, 0, 10, 7.5], [0, 0.7, 110, 0, 10, 10],
                      [0, 0.6, 100, 0, 10, 10], [1, 0.5, 0, 0, 20, 20], [1, 0.5, 10, 10, 30, 30],
                      [1, 0.5, 0, 0, 20, 20], [2, 0.3, 50, 50, 0, 0], [2, 0.2, 0, 0, 8, 8],
                      [2, 0.1, 0, 0, 2e5, 1e5]]}


def main():
    empty = {"truths": [], "found": []}
    random = np.random.default_rng(3)
    cases = {
        "mixed": (5, [scene(random, 5, 6) for _ in range(24)]),
        "crowds": (3, [scene(random, 3, 8, crowds=0.4) for _ in range(20)]),
        "ties": (2, [scene(random, 2, 6, ties=True, twins=0.3) for _ in range(16)]),
        "many": (1, [crowded(random), scene(random, 1, 4), crowded(random)]),
        "exact": (3, [exact(), exact()]),
        # Nobody finds class 1, nobody shows class 2, class 3 occurs nowhere.
        "gaps": (4, [empty, {"truths": [[0, 5, 5, 50, 50, 0, 2500], [1, 9, 9, 30, 30, 0, 900]],
                             "found": [[0, 0.9, 6, 6, 50, 50], [2, 0.8, 0, 0, 10, 10]]},
                     empty, {"truths": [], "found": [[0, 0.95, 0, 0, 10, 10]]},
                     {"truths": [[0, 5, 5, 50, 50, 0, 2500]], "found": []}]),
        # Only crowds: no category has objects.
        "nothing": (1, [{"truths": [[0, 5, 5, 50, 50, 1, 2500]],
                         "found": [[0, 0.9, 6, 6, 50, 50]]}]),
    }
    for name, (categories, pictures) in cases.items():
        content = {"category_count": categories, "pictures": pictures,
                   "expected": expected(categories, pictures)}
        text = json.dumps(content, separators=(",", ":")).replace("},{", "},\n{")
        (HERE / f"{name}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
