"""Trains the detector on one thread: `python -m train.run --minutes 40 --state FILE`."""

import argparse
import copy
import math
import time
from pathlib import Path

import cv2
import torch

from letterbox import SIDE
from scenes.actors import CLASSES

from .data import Feed, load_examples
from .loss import detection_loss
from .network import Detector, anchors

PEAK_RATE, WARM_STEPS, DECAY = 2e-3, 100, 0.02
SMALL_SIDE, SMALL_SHARE = 224, 0.5  # The first part of the training sees smaller pictures.


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=40, help="wall time of the training steps")
    parser.add_argument("--steps", type=int, help="exact number of steps instead of --minutes")
    parser.add_argument("--examples", type=int, default=4000, help="scenes to draw")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cache", type=Path, default=Path("/tmp/scenes"))
    parser.add_argument("--state", type=Path, required=True, help="where the weights go")
    return parser.parse_args()


def rate(done: float, step: int) -> float:
    """Linear warming, then half a cosine; `done` is the share of the training that is over."""
    warmed = min(1, (step + 1) / WARM_STEPS)
    return PEAK_RATE * warmed * (0.02 + 0.49 * (1 + math.cos(math.pi * done)))


def make_optimizer(model):
    decayed = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim <= 1]
    return torch.optim.AdamW(
        [{"params": decayed, "weight_decay": DECAY}, {"params": others, "weight_decay": 0.0}],
        lr=PEAK_RATE,
    )


@torch.no_grad()
def follow(average, model, step):
    """Moves the averaged weights towards the trained ones, quickly at first."""
    keep = min(0.998, (1 + step) / (20 + step))
    for kept, value in zip(average.state_dict().values(), model.state_dict().values()):
        if value.dtype.is_floating_point:
            kept.lerp_(value, 1 - keep)
        else:
            kept.copy_(value)


def train(options):
    """Runs the steps; returns the averaged model."""
    torch.manual_seed(options.seed)
    pictures, boxes = load_examples(options.cache, options.examples)
    model = Detector(len(CLASSES)).to(memory_format=torch.channels_last)
    average = copy.deepcopy(model)
    optimizer = make_optimizer(model)
    feed = Feed(pictures, boxes, options.batch, options.seed)
    began, step, smooth, done = time.monotonic(), 0, None, 0.0
    while done < 1:
        side = SMALL_SIDE if done < SMALL_SHARE else SIDE
        centres, strides = anchors(side, side)
        images, kinds, truth, valid = feed.batch(side)
        for group in optimizer.param_groups:
            group["lr"] = rate(done, step)
        with torch.autocast("cpu", torch.bfloat16):
            raw = model(images.to(memory_format=torch.channels_last))
        loss = detection_loss(raw.float(), centres, strides, kinds, truth, valid)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 10.0)
        optimizer.step()
        follow(average, model, step)
        step += 1
        smooth = loss.item() if smooth is None else 0.98 * smooth + 0.02 * loss.item()
        seconds = time.monotonic() - began
        done = step / options.steps if options.steps else seconds / (60 * options.minutes)
        if step % 25 == 0:
            print(f"step {step}  {100 * done:.0f} %  loss {smooth:.3f}  "
                  f"{seconds / step:.3f} s/step", flush=True)
        if step % 500 == 0:
            torch.save(average.state_dict(), options.state)
    return average


def main():
    options = arguments()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    options.state.parent.mkdir(parents=True, exist_ok=True)
    torch.save(train(options).state_dict(), options.state)


if __name__ == "__main__":
    main()
