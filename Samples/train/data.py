"""Training scenes, drawn once, kept as letterboxed bytes, varied cheaply on every visit."""

from pathlib import Path

import cv2
import numpy as np
import torch

from letterbox import SIDE, letterbox
from scenes.scene import draw_scene

TRAINING_STREAM = 1  # First word of every training seed; pictures and clips use other streams.
MOST_OBJECTS = 12


def draw_example(number: int):
    """The letterboxed scene `number` and its boxes [MOST_OBJECTS, 5]: class (or -1), left, top,
    right, bottom."""
    picture, boxes = draw_scene([TRAINING_STREAM, number])
    square, scale, (left, top) = letterbox(picture)
    rows = np.full((MOST_OBJECTS, 5), -1, np.float32)
    for row, box in zip(rows, boxes):
        x, y = box.left * scale + left, box.top * scale + top
        row[:] = box.kind, x, y, x + box.width * scale, y + box.height * scale
    return square, rows


def load_examples(folder: Path, count: int):
    """`count` drawn examples as memory-mapped arrays; what an earlier call drew is reused."""
    folder.mkdir(parents=True, exist_ok=True)
    pictures, boxes = folder / f"pictures-{count}.npy", folder / f"boxes-{count}.npy"
    if not boxes.exists():
        stored = np.lib.format.open_memmap(pictures, "w+", np.uint8, (count, SIDE, SIDE, 3))
        rows = np.empty((count, MOST_OBJECTS, 5), np.float32)
        for number in range(count):
            stored[number], rows[number] = draw_example(number)
        stored.flush()
        np.save(boxes, rows)
    return np.load(pictures, mmap_mode="r"), np.load(boxes)


def vary(square, rows, side, random):
    """Mirrors, zooms and shifts an example into a square of `side` pixels, and changes its colours
    a little. The arguments stay as they are."""
    rows = rows.copy()
    there = rows[:, 0] >= 0
    zoom = random.uniform(0.75, 1.3) * side / SIDE
    shift = random.uniform(-0.1, 0.1, 2) * side + (side - zoom * SIDE) / 2
    flip = random.random() < 0.5
    matrix = np.float32([[zoom, 0, shift[0]], [0, zoom, shift[1]]])
    if flip:
        matrix[0] = [-zoom, 0, side - 1 - shift[0]]
    square = cv2.warpAffine(square, matrix, (side, side), borderValue=(114, 114, 114))
    gain = random.uniform(0.75, 1.25) * random.uniform(0.93, 1.07, 3)
    table = (np.arange(256)[:, None] * gain).clip(0, 255).astype(np.uint8)[None]
    square = cv2.LUT(square, table)
    x = rows[:, (1, 3)] * zoom + shift[0]
    if flip:
        x = (side - x)[:, ::-1]
    y = rows[:, (2, 4)] * zoom + shift[1]
    whole = np.ptp(x, axis=1) * np.ptp(y, axis=1)
    x, y = x.clip(0, side), y.clip(0, side)
    width, height = np.ptp(x, axis=1), np.ptp(y, axis=1)
    rows[:, (1, 3)], rows[:, (2, 4)] = x, y
    rows[there & ((np.minimum(width, height) < 4) | (width * height < 0.25 * whole)), 0] = -1
    return square, rows


class Feed:
    """Batches in random order, epoch after epoch."""

    def __init__(self, pictures, boxes, size: int, seed: int):
        self.pictures, self.boxes, self.size = pictures, boxes, size
        self.random = np.random.default_rng(seed)
        self.order = np.empty(0, int)

    def batch(self, side: int):
        """Images [N, 3, side, side] float32, kinds [N, M], truth [N, M, 4], valid [N, M]."""
        if len(self.order) < self.size:
            self.order = self.random.permutation(len(self.pictures))
        chosen, self.order = self.order[:self.size], self.order[self.size:]
        varied = [vary(self.pictures[i], self.boxes[i], side, self.random) for i in chosen]
        images = np.stack([v[0] for v in varied])[..., ::-1].astype(np.float32) / 255
        rows = torch.from_numpy(np.stack([v[1] for v in varied]))
        images = torch.from_numpy(images.copy()).permute(0, 3, 1, 2)
        return images, rows[..., 0].clamp(min=0).long(), rows[..., 1:], rows[..., 0] >= 0
