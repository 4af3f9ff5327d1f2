"""The preprocessing that the detector expects: letterbox to a square, RGB, 0...1."""

import cv2
import numpy as np

SIDE = 320
PAD = 114


def letterbox(picture: np.ndarray, side: int = SIDE):
    """Fits a BGR picture into a square of `side` pixels, centred, padded with `PAD`.

    Returns the square (BGR uint8), the scale and the (left, top) padding. An odd pixel of padding
    goes to the right or bottom.
    """
    height, width = picture.shape[:2]
    scale = min(side / width, side / height)
    inner = (round(width * scale), round(height * scale))
    if inner != (width, height):
        picture = cv2.resize(picture, inner, interpolation=cv2.INTER_LINEAR)
    left, top = (side - inner[0]) // 2, (side - inner[1]) // 2
    square = np.full((side, side, 3), PAD, np.uint8)
    square[top:top + inner[1], left:left + inner[0]] = picture
    return square, scale, (left, top)


def as_input(square: np.ndarray) -> np.ndarray:
    """A BGR uint8 square as the model's `[1, 3, side, side]` float32 input."""
    planes = np.ascontiguousarray(square[:, :, ::-1].transpose(2, 0, 1))
    return planes[None].astype(np.float32) / 255
