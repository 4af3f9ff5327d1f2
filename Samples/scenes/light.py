"""Time of day, weather and the camera: what happens to a drawn picture before it is stored."""

from dataclasses import dataclass

import cv2
import numpy as np


@dataclass(frozen=True)
class Light:
    """How a scene is lit and taken."""

    gain: float
    gamma: float
    tint: tuple  # Blue, green, red factors.
    haze: float
    slope: tuple  # Brightness change from left to right and from top to bottom.
    blur: float
    noise: float

    @staticmethod
    def sample(random) -> "Light":
        dark = random.random() < 0.25
        return Light(
            gain=random.uniform(0.35, 0.6) if dark else random.uniform(0.75, 1.2),
            gamma=random.uniform(0.8, 1.3),
            tint=tuple(random.uniform(0.88, 1.12, 3)),
            haze=random.uniform(0, 0.35) if random.random() < 0.3 else 0.0,
            slope=tuple(random.uniform(-0.25, 0.25, 2)),
            blur=random.uniform(0.5, 1.2) if random.random() < 0.3 else 0.0,
            noise=random.uniform(0.5, 5.5),
        )

    def apply(self, picture: np.ndarray, random) -> np.ndarray:
        """Lights a BGR uint8 picture; the noise is drawn from `random`."""
        height, width = picture.shape[:2]
        levels = np.linspace(0, 1, 256, dtype=np.float32) ** self.gamma
        tables = [255 * (levels * self.gain * t * (1 - self.haze) + 0.75 * self.haze)
                  for t in self.tint]
        table = np.stack(tables, 1)[None].clip(0, 255).astype(np.uint8)
        lit = cv2.LUT(picture, table).astype(np.float32)
        across = np.linspace(-0.5, 0.5, width, dtype=np.float32) * self.slope[0]
        down = np.linspace(-0.5, 0.5, height, dtype=np.float32) * self.slope[1]
        lit *= (1 + across[None, :, None] + down[:, None, None])
        if self.blur:
            lit = cv2.GaussianBlur(lit, (0, 0), self.blur)
        lit += random.standard_normal((height, width, 1), np.float32) * self.noise
        return lit.clip(0, 255).astype(np.uint8)
