"""Composes backdrop, actors and light into a picture with boxes."""

from dataclasses import dataclass

import numpy as np

from .actors import KINDS, SIGN, Actor
from .backdrop import draw_backdrop
from .canvas import Brush, Canvas
from .light import Light

SIZES = [(640, 360), (512, 384), (384, 512), (480, 360), (360, 480), (416, 416), (640, 320),
         (320, 426), (576, 432), (400, 400), (320, 240)]
SMALLEST = 9  # Pixels: boxes with a shorter side are neither drawn nor labelled.
HIDDEN = 0.35  # An actor of which less than this share would show is not placed.


@dataclass(frozen=True)
class Camera:
    """A pinhole that looks along the ground: pixels per metre grow with the distance below the
    horizon."""

    width: int
    height: int
    horizon: int
    eye: float  # Metres above the ground.

    @staticmethod
    def sample(random, width: int, height: int) -> "Camera":
        return Camera(width, height, int(height * random.uniform(0.22, 0.45)),
                      random.uniform(2.4, 5.0))

    def scale(self, foot: float) -> float:
        """Pixels per metre for something that touches the ground at row `foot`."""
        return (foot - self.horizon) / self.eye


@dataclass(frozen=True)
class Box:
    """The visible part of one object, in pixels."""

    kind: int
    left: float
    top: float
    width: float
    height: float


def sample_actor(random, camera: Camera, foot: float) -> Actor:
    """One actor of a random class whose feet are at row `foot`."""
    weights = np.array([k.weight for k in KINDS])
    index = int(random.choice(len(KINDS), p=weights / weights.sum()))
    kind = KINDS[index]
    scale = camera.scale(foot)
    frontal = bool(random.random() < 0.4)
    return Actor(
        kind=index,
        centre=random.uniform(-0.05, 1.05) * camera.width,
        foot=foot,
        height=random.uniform(*kind.metres) * scale,
        aspect=random.uniform(*(kind.front_aspect if frontal else kind.side_aspect)),
        frontal=frontal,
        mirrored=bool(random.random() < 0.5),
        seed=int(random.integers(1 << 31)),
        phase=random.random(),
        lift=random.uniform(1.8, 2.4) * scale if index == SIGN else 0.0,
    )


def clip_box(box, camera: Camera):
    left, top, width, height = box
    right, bottom = min(left + width, camera.width), min(top + height, camera.height)
    left, top = max(left, 0), max(top, 0)
    return left, top, max(right - left, 0), max(bottom - top, 0)


def covered(box, others) -> float:
    """The greatest share of `box` that one of `others` covers."""
    left, top, width, height = box
    worst = 0.0
    for x, y, w, h in others:
        across = min(left + width, x + w) - max(left, x)
        down = min(top + height, y + h) - max(top, y)
        if across > 0 and down > 0:
            worst = max(worst, across * down / (width * height))
    return worst


def place_actors(random, camera: Camera) -> list:
    """Actors from far to near, none of them hidden almost wholly by a nearer one."""
    wanted = int(random.integers(2, 13))
    depth = random.uniform(0.06, 1.0, wanted) ** 1.3
    feet = camera.horizon + (camera.height * 1.04 - camera.horizon) * depth
    nearest_first, boxes = [], []
    for foot in sorted(feet, reverse=True):
        actor = sample_actor(random, camera, foot)
        box = clip_box(actor.box, camera)
        whole = actor.box[2] * actor.box[3]
        if min(box[2:]) < SMALLEST or box[2] * box[3] < HIDDEN * whole:
            continue
        if actor.height > 0.85 * camera.height or covered(box, boxes) > 1 - HIDDEN:
            continue
        nearest_first.append(actor)
        boxes.append(box)
    return nearest_first[::-1]


def draw_poles(random, canvas: Canvas, camera: Camera):
    """Thin things in front of everything, which hide parts of objects but are none."""
    for _ in range(random.integers(0, 3)):
        width = camera.width * random.uniform(0.008, 0.025)
        left = random.uniform(0, camera.width)
        grey = random.uniform(40, 150)
        brush = Brush(canvas, (left, camera.height * random.uniform(0, 0.4), width,
                               camera.height), 0)
        brush.rectangle(0, 0, 1, 1, (grey, grey, grey))


def texture_actors(random, canvas: Canvas):
    """Uneven paint and dirt on everything that is an object."""
    height, width = canvas.owner.shape
    speckle = random.normal(0, 9, (height // 3 + 1, width // 3 + 1)).astype(np.float32)
    speckle = np.repeat(np.repeat(speckle, 3, 0), 3, 1)[:height, :width]
    dirty = canvas.picture.astype(np.float32) + (speckle * (canvas.owner > 0))[:, :, None]
    np.clip(dirty, 0, 255, out=dirty)
    canvas.picture = dirty.astype(np.uint8)


def visible_boxes(canvas: Canvas, actors) -> list:
    """The tight box around what is seen of each actor."""
    boxes = []
    for number, actor in enumerate(actors, 1):
        left, top, width, height = (int(v) for v in actor.box)
        top, left = max(top - 2, 0), max(left - 2, 0)
        window = canvas.owner[top:max(top + height + 5, 0), left:max(left + width + 5, 0)] == number
        rows, columns = np.flatnonzero(window.any(1)), np.flatnonzero(window.any(0))
        if len(rows) < SMALLEST or len(columns) < SMALLEST:
            continue
        boxes.append(Box(actor.kind, float(left + columns[0]), float(top + rows[0]),
                         float(columns[-1] - columns[0] + 1), float(rows[-1] - rows[0] + 1)))
    return boxes


def compose(backdrop, camera: Camera, actors, light: Light, random):
    """Draws `actors` (far to near) over a copy of `backdrop`; returns the picture and boxes."""
    canvas = Canvas(backdrop.copy())
    for number, actor in enumerate(actors, 1):
        shade = np.random.default_rng(actor.seed ^ 0x5EED).uniform(0.75, 1.1)
        actor.draw(canvas, number, shade)
    draw_poles(random, canvas, camera)
    texture_actors(random, canvas)
    return light.apply(canvas.picture, random), visible_boxes(canvas, actors)


def draw_scene(seed, size=None):
    """One picture (BGR uint8) and the boxes of its objects.

    `seed` is an integer or a sequence of integers; equal seeds give equal pictures. `size` is
    (width, height), else one of `SIZES`.
    """
    random = np.random.default_rng(seed)
    chosen = SIZES[random.integers(len(SIZES))]
    width, height = size or chosen
    camera = Camera.sample(random, width, height)
    backdrop = draw_backdrop(random, width, height, camera.horizon)
    return compose(backdrop, camera, place_actors(random, camera), Light.sample(random), random)
