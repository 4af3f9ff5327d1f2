"""Draws the labelled pictures: `python pictures.py`.

Writes `pictures/validation/*.jpg` with COCO annotations in `pictures/validation.json`, and
`pictures/calibration/*.jpg`.
"""

import json
from pathlib import Path

import cv2

from scenes.actors import CLASSES
from scenes.scene import draw_scene

HERE = Path(__file__).resolve().parent
VALIDATION, CALIBRATION = 208, 64
VALIDATION_STREAM, CALIBRATION_STREAM = 2, 3  # First words of the seeds; training uses 1.
QUALITY = 68


def store(path: Path, picture):
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), picture, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])


def validation():
    """Draws the validation pictures; returns their annotations in the COCO form."""
    images, annotations = [], []
    for number in range(1, VALIDATION + 1):
        picture, boxes = draw_scene([VALIDATION_STREAM, number])
        name = f"{number:04}.jpg"
        store(HERE / "pictures" / "validation" / name, picture)
        height, width = picture.shape[:2]
        images.append({"id": number, "file_name": name, "width": width, "height": height})
        for box in boxes:
            annotations.append({
                "id": len(annotations) + 1, "image_id": number, "category_id": box.kind + 1,
                "bbox": [box.left, box.top, box.width, box.height],
                "area": box.width * box.height, "iscrowd": 0,
            })
    categories = [{"id": i, "name": name} for i, name in enumerate(CLASSES, 1)]
    return {"images": images, "annotations": annotations, "categories": categories}


def main():
    labels = json.dumps(validation(), ensure_ascii=False, separators=(",", ":"))
    (HERE / "pictures" / "validation.json").write_text(labels + "\n", encoding="utf-8")
    for number in range(1, CALIBRATION + 1):
        picture, _ = draw_scene([CALIBRATION_STREAM, number])
        store(HERE / "pictures" / "calibration" / f"{number:04}.jpg", picture)


if __name__ == "__main__":
    main()
