#!/usr/bin/env python3
"""Preprocessing: Apus against OpenCV, side by side on one thread.

    python3 Benchmarks/preprocessing.py --apus .build/release/apus --model detector.apus \
        [--source 1920x1080] [--isa avx2] [--rounds 5] [--json FILE]

Needs numpy and opencv-python(-headless). MODEL is a compiled model file with one picture input
[1, 3, H, W], float32, letterboxed (resize=letterbox,raw-scale=1,channel-order=rgb is assumed for
OpenCV's side). What is timed, per frame, from an NV12 frame in memory to what the model reads:

  opencv float   cvtColor, resize (bilinear), copyMakeBorder, blobFromImage: float32 planar
  opencv numpy   the same with numpy's transpose, astype and division instead of blobFromImage
  opencv bytes   cvtColor, resize, copyMakeBorder: uint8 with channels last, nothing scaled. This is
                 the least that OpenCV can do for a quantised model with scale 1/255 and zero point 0
  opencv int8    the same, then the model's bytes by look-up (cv2.LUT): any scale and zero point
  apus           `apus bench --preprocessing`: the picture input of that model, in the form that
                 its first layer reads (uint8, bfloat16 or float32)

Both sides take frames in turn that hold more than 64 MiB, so that none waits in a cache. Rounds of
all of them alternate, so that a busy machine slows all alike; the table shows the median of the
rounds' medians, and how many times faster Apus is.
"""

import argparse
import json
import statistics
import subprocess
import time

import cv2
import numpy as np


def frames_of(width, height):
    """NV12 frames, as arrays [height * 3 / 2, width], that hold at least 64 MiB together."""
    count = (64 << 20) // (width * height * 3 // 2) + 1
    random = np.random.default_rng(1)
    gradient = (np.arange(width) >> 4).astype(np.uint8)[None, :]
    return [
        gradient + random.integers(0, 16, (height * 3 // 2, width), dtype=np.uint8)
        for _ in range(max(2, min(count, 64)))
    ]


def boxed(frame, width, height, side):
    """The letterboxed RGB picture, uint8 with channels last."""
    rgb = cv2.cvtColor(frame, cv2.COLOR_YUV2RGB_NV12)
    scale = min(side[0] / width, side[1] / height)
    inner = (round(width * scale), round(height * scale))
    rgb = cv2.resize(rgb, inner, interpolation=cv2.INTER_LINEAR)
    left, top = (side[0] - inner[0]) // 2, (side[1] - inner[1]) // 2
    return cv2.copyMakeBorder(
        rgb, top, side[1] - inner[1] - top, left, side[0] - inner[0] - left,
        cv2.BORDER_CONSTANT, value=(114, 114, 114))


def opencv_ways(width, height, side):
    table = np.clip(np.rint(np.arange(256) / 255 / 0.0157) + 3, 0, 255).astype(np.uint8)

    def blob(frame):
        return cv2.dnn.blobFromImage(boxed(frame, width, height, side), 1 / 255)

    def numpy_float(frame):
        picture = boxed(frame, width, height, side)
        return np.ascontiguousarray(picture.transpose(2, 0, 1)[None]).astype(np.float32) / 255

    def plain_bytes(frame):
        return boxed(frame, width, height, side)

    def looked_up(frame):
        return cv2.LUT(boxed(frame, width, height, side), table)

    return {
        "opencv float": blob, "opencv numpy": numpy_float, "opencv bytes": plain_bytes,
        "opencv int8": looked_up,
    }


def median_of(way, frames, seconds):
    """Median milliseconds per frame."""
    times = []
    begin = time.perf_counter()
    index = 0
    while time.perf_counter() - begin < seconds or len(times) < 5:
        start = time.perf_counter()
        way(frames[index % len(frames)])
        times.append((time.perf_counter() - start) * 1000)
        index += 1
    return statistics.median(times[1:])


def apus(options, width, height):
    command = [
        options.apus, "bench", options.model, "--preprocessing", f"{width}x{height}:nv12",
        "--seconds", str(options.seconds), "--json"]
    if options.isa:
        command += ["--isa", options.isa]
    if options.precision:
        command += ["--precision", options.precision]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--apus", default=".build/release/apus")
    parser.add_argument("--model", required=True)
    parser.add_argument("--precision")
    parser.add_argument("--source", default="1920x1080")
    parser.add_argument("--isa")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0, help="per way and round")
    parser.add_argument("--json", help="write the figures here")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    width, height = (int(side) for side in options.source.split("x"))
    first = apus(options, width, height)
    shape = [int(extent) for extent in first["input"].split("x")]
    side = (shape[3], shape[2])
    frames = frames_of(width, height)
    ways = opencv_ways(width, height, side)
    rounds = {name: [] for name in ways}
    rounds["apus"] = []
    for _ in range(options.rounds):
        for name, way in ways.items():
            rounds[name].append(median_of(way, frames, options.seconds))
        rounds["apus"].append(apus(options, width, height)["median_ms"])
    own = statistics.median(rounds["apus"])
    print(
        f"{options.source} nv12 to {side[0]}x{side[1]}, one thread, OpenCV {cv2.__version__}; "
        f"apus writes {first['written']} ({first['isa']})")
    figures = {"source": options.source, "target": side, "apus": first, "median_ms": {}}
    for name, values in rounds.items():
        median = statistics.median(values)
        figures["median_ms"][name] = median
        print(
            f"  {name:13} {median:7.3f} ms  ({min(values):.3f} … {max(values):.3f})"
            + (f"  {median / own:5.1f}x" if name != "apus" else ""))
    if options.json:
        with open(options.json, "w") as file:
            json.dump(figures, file, indent=2)


if __name__ == "__main__":
    main()
