"""A picture and its ownership mask, drawn on through unit-square coordinates."""

import cv2
import numpy as np

SHIFT = 4  # Fractional bits of OpenCV's fixed-point drawing coordinates.
ONE = 1 << SHIFT


class Canvas:
    """A BGR picture (uint8) and, per pixel, the number of the actor seen there (0: none)."""

    def __init__(self, picture: np.ndarray):
        self.picture = picture
        self.owner = np.zeros(picture.shape[:2], np.uint8)


class Brush:
    """Draws in the unit square of one actor's box.

    (0, 0) is the box's top left, (1, 1) its bottom right. `mirrored` flips left and right.
    `number` is what the actor leaves in the ownership mask; 0 marks an occluder that is no object.
    """

    def __init__(self, canvas: Canvas, box, number: int, mirrored: bool = False, shade=1.0):
        self.canvas = canvas
        self.left, self.top, self.width, self.height = box
        self.number = number
        self.mirrored = mirrored
        self.shade = shade

    def polygon(self, points, colour):
        """Fills a polygon given as (x, y) pairs in unit coordinates."""
        self._fill([self._place(x, y) for x, y in points], colour)

    def rectangle(self, x0, y0, x1, y1, colour):
        """Fills an axis-aligned rectangle."""
        self.polygon([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], colour)

    def disc(self, x, y, radius, colour):
        """Fills a disc that is round in pixels; `radius` is a share of the box's height."""
        self.ellipse(x, y, radius * self.height / self.width, radius, colour)

    def ellipse(self, x, y, radius_x, radius_y, colour):
        """Fills an ellipse; the radii are shares of the box's width and height."""
        turns = np.linspace(0, 2 * np.pi, 25)[:-1]
        self.polygon(
            np.stack([x + radius_x * np.cos(turns), y + radius_y * np.sin(turns)], 1), colour
        )

    def ring(self, x, y, radius, thickness, colour):
        """Draws a circle outline; both sizes are shares of the box's height."""
        turns = np.linspace(0, 2 * np.pi, 25)
        across = radius * self.height / self.width
        path = [(x + across * np.cos(t), y + radius * np.sin(t)) for t in turns]
        self.stroke(path, thickness, colour)

    def stroke(self, path, thickness, colour):
        """Draws a polyline; `thickness` is a share of the box's height."""
        points = [np.array([self._place(x, y) for x, y in path], np.int32)]
        pixels = max(1, round(thickness * self.height))
        cv2.polylines(
            self.canvas.picture, points, False, self._tint(colour), pixels, cv2.LINE_AA, SHIFT
        )
        cv2.polylines(self.canvas.owner, points, False, self.number, pixels, cv2.LINE_8, SHIFT)

    def _place(self, x, y):
        if self.mirrored:
            x = 1 - x
        return (
            int((self.left + x * self.width) * ONE),
            int((self.top + y * self.height) * ONE),
        )

    def _tint(self, colour):
        return tuple(float(np.clip(c * self.shade, 0, 255)) for c in colour)

    def _fill(self, points, colour):
        points = [np.array(points, np.int32)]
        cv2.fillPoly(self.canvas.picture, points, self._tint(colour), cv2.LINE_AA, SHIFT)
        cv2.fillPoly(self.canvas.owner, points, self.number, cv2.LINE_8, SHIFT)
