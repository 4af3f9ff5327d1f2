"""Films moving actors: `python clips.py` (needs the `ffmpeg` program).

Writes `clips/*.mp4`, H.264, without sound. Seeded like the pictures.
"""

import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from scenes.actors import KINDS, SIGN, Actor
from scenes.backdrop import draw_backdrop
from scenes.canvas import Canvas
from scenes.light import Light
from scenes.scene import Camera, sample_actor

HERE = Path(__file__).resolve().parent
CLIPS_STREAM = 4  # First word of the seeds.


@dataclass(frozen=True)
class Clip:
    """What is filmed and how."""

    name: str
    seed: int
    width: int
    height: int
    rate: int  # Frames per second.
    seconds: int
    crossing: int  # Moving actors.


CLIPS = [
    Clip("crossing", 3, 640, 360, 25, 12, 11),
    Clip("square", 8, 480, 480, 30, 10, 9),
    Clip("evening", 5, 426, 240, 15, 12, 8),
]


@dataclass
class Mover:
    """An actor that crosses the view at a steady speed and comes back on the far side."""

    actor: Actor
    speed: float  # Pixels per second, to the right.
    stride: float  # Turns of wheels or legs per second.

    def at(self, seconds: float, camera: Camera) -> Actor:
        width = self.actor.box[2]
        span = camera.width + 2 * width
        centre = (self.actor.centre + self.speed * seconds + width) % span - width
        return replace(self.actor, centre=centre, phase=self.actor.phase + self.stride * seconds)


def sample_mover(random, camera: Camera, foot: float) -> Mover:
    """A mover whose feet stay at row `foot`; signs stand still."""
    actor = sample_actor(random, camera, foot)
    kind = KINDS[actor.kind]
    if actor.kind == SIGN:
        return Mover(actor, 0.0, 0.0)
    actor.frontal = False
    actor.aspect = random.uniform(*kind.side_aspect)
    pace = random.uniform(*kind.speed) * 0.5
    right = -1 if actor.mirrored else 1
    return Mover(actor, right * pace * camera.scale(foot), right * min(pace * 0.5, 1.6))


def film(clip: Clip):
    """Yields the frames (BGR uint8)."""
    random = np.random.default_rng([CLIPS_STREAM, clip.seed])
    camera = Camera(clip.width, clip.height, int(clip.height * 0.3), 4.2)
    backdrop = draw_backdrop(random, clip.width, clip.height, camera.horizon)
    light = replace(Light.sample(random), noise=1.0, blur=0.0)
    lanes = np.linspace(0.2, 0.85, clip.crossing) + random.uniform(-0.02, 0.02, clip.crossing)
    movers = [sample_mover(random, camera, camera.horizon + lane * (clip.height - camera.horizon))
              for lane in lanes]
    for frame in range(clip.rate * clip.seconds):
        canvas = Canvas(backdrop.copy())
        for number, mover in enumerate(movers, 1):
            actor = mover.at(frame / clip.rate, camera)
            actor.draw(canvas, number, 1.0)
        yield light.apply(canvas.picture, random)


def encode(clip: Clip, target: Path):
    """Pipes the frames through ffmpeg; one thread, so that equal frames give equal files."""
    command = [
        "ffmpeg", "-y", "-loglevel", "error", "-f", "rawvideo", "-pix_fmt", "bgr24",
        "-s", f"{clip.width}x{clip.height}", "-r", str(clip.rate), "-i", "-",
        "-c:v", "libx264", "-preset", "slow", "-crf", "27", "-pix_fmt", "yuv420p", "-threads", "1",
        "-g", str(2 * clip.rate), "-map_metadata", "-1", "-fflags", "+bitexact",
        "-movflags", "+faststart", str(target),
    ]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        for frame in film(clip):
            process.stdin.write(frame.tobytes())
        process.stdin.close()
    if process.returncode:
        raise SystemExit(f"ffmpeg failed on {target}")


def main():
    cv2.setNumThreads(1)
    (HERE / "clips").mkdir(exist_ok=True)
    for clip in CLIPS:
        encode(clip, HERE / "clips" / f"{clip.name}.mp4")


if __name__ == "__main__":
    main()
