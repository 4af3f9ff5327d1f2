"""The object classes: how each looks from the side and from the front.

An actor is drawn by a function `(brush, look)`; `look` is a generator seeded per actor, so that the
same actor keeps its colours and proportions in every frame of a clip. `phase` (turns) moves legs
and wheels.
"""

from dataclasses import dataclass

import numpy as np

from .canvas import Brush

# The labels are in several languages on purpose: drawing them exercises text beyond ASCII.
CLASSES = ["car", "truck", "bus", "Fußgänger", "vélo", "sign"]

GLASS = (96, 78, 62)
TYRE = (28, 26, 26)
SKIN = [(140, 175, 225), (95, 130, 185), (55, 80, 120), (170, 200, 240)]


def paint(look) -> tuple:
    """A colour of body paint: mostly greys, otherwise saturated."""
    if look.random() < 0.4:
        return (look.uniform(30, 235),) * 3
    strong = look.uniform(20, 240, 3)
    strong[look.integers(3)] *= 0.2
    return tuple(strong)


def darker(colour, factor=0.7):
    return tuple(c * factor for c in colour)


def wheels(brush: Brush, places, radius, phase):
    """Wheels with a rim and one spoke that shows the rotation."""
    for x in places:
        brush.disc(x, 1 - radius, radius, TYRE)
        brush.disc(x, 1 - radius, radius * 0.55, (150, 150, 150))
        turn = 2 * np.pi * phase
        reach = radius * 0.5
        across = reach * brush.height / brush.width
        brush.stroke(
            [
                (x - across * np.cos(turn), 1 - radius - reach * np.sin(turn)),
                (x + across * np.cos(turn), 1 - radius + reach * np.sin(turn)),
            ],
            radius * 0.2,
            (70, 70, 70),
        )


def tail(brush: Brush, colour, look, glass_top, glass_bottom):
    """What vehicles share when seen from the front or from behind."""
    for x in (0.08, 0.76):
        brush.rectangle(x, 0.82, x + 0.16, 1.0, TYRE)
    brush.polygon(
        [(0.1, 0), (0.9, 0), (1, glass_bottom), (1, 0.9), (0, 0.9), (0, glass_bottom)], colour
    )
    brush.polygon(
        [(0.16, glass_top), (0.84, glass_top), (0.92, glass_bottom), (0.08, glass_bottom)], GLASS
    )
    lamp = (60, 50, 225) if look.random() < 0.5 else (190, 240, 250)
    for x in (0.05, 0.77):
        brush.rectangle(x, 0.66, x + 0.18, 0.74, lamp)
    brush.rectangle(0.36, 0.74, 0.64, 0.82, (220, 220, 220))
    brush.rectangle(0.02, 0.84, 0.98, 0.9, darker(colour, 0.5))


def car(brush: Brush, look, phase, frontal):
    colour = paint(look)
    if frontal:
        tail(brush, colour, look, 0.08, 0.45)
        return
    roof_front, roof_back = look.uniform(0.5, 0.66), look.uniform(0.1, 0.3)
    brush.polygon(
        [(0, 0.5), (roof_back, 0.42), (roof_back + 0.08, 0), (roof_front, 0), (0.8, 0.42),
         (0.98, 0.52), (1, 0.82), (0, 0.82)],
        colour,
    )
    middle = (roof_back + roof_front) / 2 + 0.04
    brush.polygon(
        [(roof_back + 0.04, 0.4), (roof_back + 0.1, 0.08), (middle - 0.01, 0.08),
         (middle - 0.01, 0.4)],
        GLASS,
    )
    brush.polygon(
        [(middle + 0.01, 0.08), (roof_front - 0.01, 0.08), (0.75, 0.4), (middle + 0.01, 0.4)],
        GLASS,
    )
    brush.rectangle(0, 0.72, 1, 0.82, darker(colour))
    brush.rectangle(0.95, 0.54, 1, 0.62, (190, 240, 250))
    brush.rectangle(0, 0.52, 0.04, 0.62, (50, 40, 210))
    wheels(brush, (0.2, 0.79), 0.22, phase)


def truck(brush: Brush, look, phase, frontal):
    colour, cargo = paint(look), paint(look)
    if frontal:
        brush.rectangle(0.0, 0.0, 1.0, 0.86, cargo)
        if look.random() < 0.5:  # From behind: two doors.
            brush.rectangle(0.49, 0.04, 0.51, 0.8, darker(cargo, 0.5))
            brush.rectangle(0.0, 0.8, 1.0, 0.88, darker(cargo, 0.5))
            for x in (0.02, 0.84):
                brush.rectangle(x, 0.82, x + 0.14, 0.87, (60, 50, 225))
        else:
            brush.rectangle(0.06, 0.3, 0.94, 0.9, colour)
            brush.rectangle(0.1, 0.36, 0.9, 0.58, GLASS)
            for x in (0.1, 0.74):
                brush.rectangle(x, 0.74, x + 0.16, 0.8, (190, 240, 250))
        for x in (0.05, 0.77):
            brush.rectangle(x, 0.88, x + 0.18, 1.0, TYRE)
        return
    split = look.uniform(0.68, 0.78)
    brush.rectangle(0, 0, split - 0.015, 0.8, cargo)
    stripes = look.integers(0, 3)
    for stripe in range(stripes):
        y = 0.15 + 0.25 * stripe
        brush.rectangle(0.03, y, split - 0.05, y + 0.1, darker(cargo, 0.6))
    brush.rectangle(0, 0.78, 1, 0.86, (60, 60, 60))
    brush.polygon(
        [(split, 0.18), (0.92, 0.18), (1, 0.52), (1, 0.84), (split, 0.84)], colour
    )
    brush.polygon(
        [(split + 0.06, 0.25), (0.91, 0.25), (0.97, 0.5), (split + 0.06, 0.5)], GLASS
    )
    wheels(brush, (0.12, 0.24, 0.86), 0.13, phase)


def bus(brush: Brush, look, phase, frontal):
    colour = paint(look)
    if frontal:
        tail(brush, colour, look, 0.14, 0.56)
        brush.rectangle(0.24, 0.03, 0.76, 0.11, (60, 200, 250))
        return
    brush.polygon([(0.01, 0), (0.97, 0), (1, 0.3), (1, 0.88), (0, 0.88), (0, 0.04)], colour)
    count = int(look.integers(5, 8))
    pitch = 0.9 / count
    for window in range(count):
        x = 0.02 + window * pitch
        brush.rectangle(x, 0.16, x + pitch * 0.85, 0.5, GLASS)
    brush.polygon([(0.93, 0.14), (0.98, 0.14), (1, 0.34), (1, 0.56), (0.93, 0.56)], GLASS)
    door = look.uniform(0.45, 0.75)
    brush.rectangle(door, 0.16, door + 0.07, 0.86, darker(GLASS, 0.8))
    brush.rectangle(0, 0.6, 1, 0.68, darker(colour, look.uniform(0.4, 0.8)))
    wheels(brush, (0.2, 0.8), 0.15, phase)


def head(brush: Brush, x, y, radius, look):
    brush.disc(x, y, radius, SKIN[look.integers(len(SKIN))])
    hair = darker(paint(look), 0.4)
    brush.polygon(
        [(x - radius * brush.height / brush.width, y), (x, y - radius),
         (x + radius * brush.height / brush.width, y)],
        hair,
    )


def pedestrian(brush: Brush, look, phase, frontal):
    coat, trousers = paint(look), darker(paint(look), 0.6)
    swing = (0.1 if frontal else 0.32) * np.sin(2 * np.pi * phase)
    for side in (-1, 1):
        brush.stroke(
            [(0.5, 0.52), (0.5 + side * (0.12 + swing) * 0.6, 0.75),
             (0.5 + side * (0.14 + swing), 0.97)],
            0.09, trousers,
        )
        brush.stroke(
            [(0.5 + side * 0.2, 0.22), (0.5 + side * (0.32 - swing * 0.5), 0.38),
             (0.5 + side * (0.28 - swing), 0.5)],
            0.06, darker(coat, 0.85),
        )
    brush.polygon([(0.26, 0.18), (0.74, 0.18), (0.7, 0.56), (0.3, 0.56)], coat)
    if look.random() < 0.3:
        brush.rectangle(0.1, 0.22, 0.32, 0.44, darker(paint(look), 0.8))  # A bag.
    head(brush, 0.5, 0.085, 0.08, look)


def cyclist(brush: Brush, look, phase, frontal):
    coat, frame, trousers = paint(look), paint(look), darker(paint(look), 0.6)
    if frontal:
        brush.stroke([(0.5, 0.6), (0.5, 0.98)], 0.05, TYRE)
        brush.stroke([(0.08, 0.5), (0.92, 0.5)], 0.03, frame)
        for side in (-1, 1):
            lift = 0.06 * side * np.sin(2 * np.pi * phase)
            knee, foot = 0.5 + side * 0.2, 0.5 + side * 0.24
            brush.stroke([(knee, 0.5), (foot, 0.82 + lift)], 0.09, trousers)
            brush.stroke([(0.5 + side * 0.3, 0.2), (0.5 + side * 0.4, 0.5)], 0.06, coat)
        brush.polygon([(0.2, 0.17), (0.8, 0.17), (0.7, 0.55), (0.3, 0.55)], coat)
        head(brush, 0.5, 0.085, 0.08, look)
        return
    for x in (0.2, 0.8):
        brush.ring(x, 0.8, 0.185, 0.03, TYRE)
    brush.stroke([(0.2, 0.8), (0.42, 0.55), (0.7, 0.55), (0.5, 0.82), (0.2, 0.8)], 0.03, frame)
    brush.stroke([(0.5, 0.82), (0.4, 0.48)], 0.03, frame)
    brush.stroke([(0.8, 0.8), (0.69, 0.45), (0.76, 0.44)], 0.03, frame)
    turn = 2 * np.pi * phase
    for leg in (0, np.pi):
        foot = (0.5 + 0.07 * np.cos(turn + leg), 0.84 + 0.07 * np.sin(turn + leg))
        brush.stroke([(0.41, 0.46), (0.58, 0.62), foot], 0.075, trousers)
    brush.polygon([(0.34, 0.48), (0.46, 0.16), (0.6, 0.18), (0.48, 0.5)], coat)
    brush.stroke([(0.54, 0.2), (0.62, 0.38), (0.74, 0.44)], 0.055, darker(coat, 0.85))
    head(brush, 0.58, 0.085, 0.08, look)


def sign(brush: Brush, look, phase, frontal):
    """The plate only; `Actor.pole` stands behind it."""
    shape = look.integers(4)
    red, white, blue = (45, 40, 205), (240, 240, 240), (190, 90, 30)
    symbol = (30, 30, 30)
    if shape == 0:  # Warning: triangle.
        brush.polygon([(0.5, 0), (1, 1), (0, 1)], red)
        brush.polygon([(0.5, 0.24), (0.84, 0.9), (0.16, 0.9)], white)
        brush.rectangle(0.46, 0.45, 0.54, 0.8, symbol)
    elif shape == 1:  # Limit: disc.
        brush.disc(0.5, 0.5, 0.5, red)
        brush.disc(0.5, 0.5, 0.37, white)
        brush.rectangle(0.3, 0.36, 0.45, 0.64, symbol)
        brush.rectangle(0.55, 0.36, 0.7, 0.64, symbol)
    elif shape == 2:  # Stop: octagon.
        turns = np.pi / 8 + np.arange(8) * np.pi / 4
        brush.polygon([(0.5 + 0.54 * np.cos(t), 0.5 + 0.54 * np.sin(t)) for t in turns], red)
        brush.rectangle(0.15, 0.42, 0.85, 0.58, white)
    else:  # Direction: blue square with an arrow.
        brush.rectangle(0, 0, 1, 1, white)
        brush.rectangle(0.06, 0.06, 0.94, 0.94, blue)
        brush.polygon([(0.5, 0.15), (0.8, 0.5), (0.6, 0.5), (0.6, 0.85), (0.4, 0.85), (0.4, 0.5),
                       (0.2, 0.5)], white)


@dataclass(frozen=True)
class Kind:
    """One object class: its drawing, its size in metres and its aspect (width : height)."""

    draw: object
    metres: tuple  # Lowest and greatest height.
    side_aspect: tuple
    front_aspect: tuple
    weight: float  # How often it appears.
    speed: tuple  # Metres per second.


KINDS = [
    Kind(car, (1.4, 1.75), (2.5, 3.1), (1.15, 1.35), 0.30, (5, 11)),
    Kind(truck, (2.8, 3.8), (2.2, 3.0), (0.75, 0.9), 0.13, (4, 8)),
    Kind(bus, (2.8, 3.4), (2.9, 3.7), (0.8, 0.95), 0.12, (4, 8)),
    Kind(pedestrian, (1.5, 1.95), (0.42, 0.52), (0.38, 0.46), 0.2, (0.8, 1.8)),
    Kind(cyclist, (1.6, 1.95), (0.95, 1.1), (0.36, 0.44), 0.14, (2.5, 5)),
    Kind(sign, (0.75, 1.1), (1.0, 1.0), (1.0, 1.0), 0.11, (0, 0)),
]
SIGN = CLASSES.index("sign")


@dataclass
class Actor:
    """One object standing in a scene; positions and sizes in pixels."""

    kind: int
    centre: float
    foot: float
    height: float
    aspect: float
    frontal: bool
    mirrored: bool
    seed: int
    phase: float = 0.0
    lift: float = 0.0  # How far the box floats over the ground (signs).

    @property
    def box(self):
        """Left, top, width, height of the whole actor, parts outside the picture included."""
        width = self.height * self.aspect
        return self.centre - width / 2, self.foot - self.lift - self.height, width, self.height

    def draw(self, canvas, number: int, shade: float):
        """Draws shadow, pole and body; only the body is owned by the actor."""
        left, top, width, height = self.box
        look = np.random.default_rng(self.seed)
        if self.kind == SIGN:
            pole = Brush(canvas, (self.centre - height * 0.05, top, height * 0.1,
                                  self.foot - top), 0, shade=shade)
            pole.rectangle(0, 0, 1, 1, (120, 120, 120))
        else:
            shadow = Brush(canvas, (left, self.foot - height * 0.04, width, height * 0.08), 0)
            shadow.ellipse(0.5, 0.5, 0.52, 0.5, (35, 35, 38))
        brush = Brush(canvas, (left, top, width, height), number, self.mirrored, shade)
        KINDS[self.kind].draw(brush, look, self.phase, self.frontal)
