"""What stands behind the actors: sky, houses, trees, ground, road."""

import cv2
import numpy as np


def gradient(height, width, top, bottom):
    """A vertical blend of two BGR colours, float32."""
    blend = np.linspace(0, 1, max(height, 1), dtype=np.float32)[:, None, None]
    strip = np.float32(top) * (1 - blend) + np.float32(bottom) * blend
    return np.broadcast_to(strip, (max(height, 1), width, 3))


def clouds(random, height, width, cells, strength):
    """Smooth noise around 0: a coarse grid of random values, enlarged."""
    grid = random.normal(0, strength, (cells, cells, 1)).astype(np.float32)
    return cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)[:, :, None]


def houses(random, picture, horizon):
    """A row of fronts with windows, each its own colour."""
    height, width = picture.shape[:2]
    x = -int(random.integers(0, 40))
    while x < width:
        front = int(random.integers(30, 140))
        top = int(horizon * random.uniform(0.05, 0.8))
        colour = random.uniform(70, 210) + random.normal(0, 18, 3)
        base = horizon + int(height * 0.03)
        cv2.rectangle(picture, (x, top), (x + front, base), colour.clip(0, 255).tolist(), -1)
        pane = (colour * random.choice([0.45, 0.6, 1.3])).clip(0, 255).tolist()
        across, down = int(random.integers(9, 24)), int(random.integers(10, 26))
        for wy in range(top + 6, base - down, down):
            for wx in range(x + 5, x + front - across // 2, across):
                cv2.rectangle(picture, (wx, wy), (wx + across // 2, wy + down // 2), pane, -1)
        x += front + int(random.integers(0, 30) * (random.random() < 0.3))


def trees(random, picture, horizon):
    """Trunks with leafy blobs."""
    height, width = picture.shape[:2]
    for _ in range(random.integers(0, 6)):
        x = int(random.integers(0, width))
        size = int(height * random.uniform(0.06, 0.2))
        foot = horizon + int(height * random.uniform(0.0, 0.08))
        cv2.rectangle(picture, (x - size // 12 - 1, foot - size), (x + size // 12, foot),
                      (45, 60, 80), -1)
        green = np.array([random.uniform(30, 70), random.uniform(80, 140), random.uniform(40, 90)])
        for _ in range(7):
            at = (x + int(random.normal(0, size / 3)),
                  foot - size - int(random.normal(0, size / 4)))
            shade = (green * random.uniform(0.7, 1.2)).tolist()
            cv2.circle(picture, at, max(2, int(size * random.uniform(0.2, 0.4))), shade, -1,
                       cv2.LINE_AA)


def road(random, picture, horizon):
    """Ground, a road towards the vanishing point or across the view, and its markings."""
    height, width = picture.shape[:2]
    ground = random.uniform(90, 150) + random.normal(0, 14, 3)
    picture[horizon:] = gradient(height - horizon, width, ground * 0.9, ground * 1.05)
    asphalt = [float(random.uniform(55, 115))] * 3
    chalk = (215, 220, 225)
    if random.random() < 0.5:
        vanish = width * random.uniform(0.2, 0.8)
        left, right = -width * random.uniform(0.1, 0.7), width * random.uniform(1.1, 1.7)
        corners = [(vanish - 4, horizon), (vanish + 4, horizon), (right, height), (left, height)]
        cv2.fillPoly(picture, [np.int32(corners)], asphalt, cv2.LINE_AA)
        for start in np.linspace(0.05, 0.9, 8) ** 1.8:
            stop = start + 0.05 + 0.06 * start
            middle = (left + right) / 2
            ends = [(vanish + (middle - vanish) * t, horizon + (height - horizon) * t, 1 + 5 * t)
                    for t in (start, stop)]
            (x0, y0, w0), (x1, y1, w1) = ends
            dash = [(x0 - w0, y0), (x0 + w0, y0), (x1 + w1, y1), (x1 - w1, y1)]
            cv2.fillPoly(picture, [np.int32(dash)], chalk, cv2.LINE_AA)
    else:
        top = horizon + int((height - horizon) * random.uniform(0.05, 0.25))
        bottom = horizon + int((height - horizon) * random.uniform(0.75, 1.1))
        cv2.rectangle(picture, (0, top), (width, bottom), asphalt, -1)
        cv2.line(picture, (0, top), (width, top), chalk, 2)
        middle = (top + bottom) // 2
        for x in range(int(random.integers(0, 40)), width, int(random.integers(50, 90))):
            cv2.line(picture, (x, middle), (x + 26, middle), chalk, 3)


def draw_backdrop(random, width: int, height: int, horizon: int) -> np.ndarray:
    """The empty street as a BGR uint8 picture."""
    blue = np.array([235, 200, 160]) * random.uniform(0.5, 1.05)
    pale = np.array([225, 220, 215]) * random.uniform(0.7, 1.05)
    picture = np.zeros((height, width, 3), np.float32)
    picture[:horizon] = gradient(horizon, width, blue, pale)
    picture[:horizon] += clouds(random, horizon, width, 6, 12)
    picture = picture.clip(0, 255).astype(np.uint8)
    if random.random() < 0.8:
        houses(random, picture, horizon)
    road(random, picture, horizon)
    trees(random, picture, horizon)
    texture = clouds(random, height - horizon, width, 24, 7)
    picture[horizon:] = (picture[horizon:] + texture).clip(0, 255)
    return picture
