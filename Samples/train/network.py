"""The detector: dense convolutions early, depthwise ones late, a two-way pyramid, three strides.

Each cell of the three grids predicts a class score per class and its distances to the four sides of
a box. A distance is the expectation of a distribution over `BINS` cell lengths (Li et al.,
"Generalized Focal Loss", 2020). `Detector.forward` gives raw maps for training; `Decoded` appends
what turns them into boxes, so that the exported graph ends in `[1, 4 + classes, anchors]`.
"""

import math

import torch
from torch import nn
from torch.nn import functional

STRIDES = (8, 16, 32)
BINS = 16


class Block(nn.Sequential):
    """Convolution, batch normalisation, SiLU."""

    def __init__(self, inputs, outputs, kernel=1, stride=1, groups=1):
        super().__init__(
            nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
            nn.BatchNorm2d(outputs, eps=1e-3, momentum=0.03),
            nn.SiLU(inplace=True),
        )


def separable(inputs, outputs, kernel=3, stride=1):
    """A depthwise convolution followed by a pointwise one."""
    return nn.Sequential(
        Block(inputs, inputs, kernel, stride, groups=inputs), Block(inputs, outputs)
    )


class Residual(nn.Module):
    """Two 3x3 convolutions (dense or separable) around which the input is added."""

    def __init__(self, channels, dense):
        super().__init__()
        make = (lambda: Block(channels, channels, 3)) if dense else (
            lambda: separable(channels, channels, 5))
        self.body = nn.Sequential(make(), make())

    def forward(self, x):
        return x + self.body(x)


class Stage(nn.Module):
    """Splits the channels, sends one half through residuals and concatenates every step."""

    def __init__(self, inputs, outputs, depth=1, dense=True):
        super().__init__()
        half = outputs // 2
        self.enter = Block(inputs, outputs)
        self.steps = nn.ModuleList(Residual(half, dense) for _ in range(depth))
        self.leave = Block(half * (2 + depth), outputs)

    def forward(self, x):
        parts = list(self.enter(x).chunk(2, 1))
        for step in self.steps:
            parts.append(step(parts[-1]))
        return self.leave(torch.cat(parts, 1))


class PyramidPooling(nn.Module):
    """Three chained 5x5 maximum poolings, concatenated: a wide view at the coarsest stride."""

    def __init__(self, channels):
        super().__init__()
        self.enter = Block(channels, channels // 2)
        self.pool = nn.MaxPool2d(5, 1, 2)
        self.leave = Block(channels * 2, channels)

    def forward(self, x):
        parts = [self.enter(x)]
        for _ in range(3):
            parts.append(self.pool(parts[-1]))
        return self.leave(torch.cat(parts, 1))


class Head(nn.Module):
    """Box distributions and class scores of one stride, from separate branches."""

    def __init__(self, channels, classes, stride):
        super().__init__()
        self.box = nn.Sequential(
            separable(channels, 64), separable(64, 64), nn.Conv2d(64, 4 * BINS, 1)
        )
        self.score = nn.Sequential(
            separable(channels, 64), separable(64, 64), nn.Conv2d(64, classes, 1)
        )
        nn.init.constant_(self.box[-1].bias, 1.0)
        # About five objects in 640 pixels: the prior keeps the first steps calm.
        nn.init.constant_(self.score[-1].bias, math.log(5 / classes / (640 / stride) ** 2))

    def forward(self, x):
        return torch.cat([self.box(x), self.score(x)], 1)


class Detector(nn.Module):
    """From `[N, 3, H, W]` (RGB, 0...1) to `[N, 4 * BINS + classes, anchors]`, raw."""

    def __init__(self, classes: int):
        super().__init__()
        self.classes = classes
        self.stem = nn.Sequential(Block(3, 16, 3, 2), Block(16, 32, 3, 2), Stage(32, 32))
        self.eighth = nn.Sequential(Block(32, 64, 3, 2), Stage(64, 64, 2))
        self.sixteenth = nn.Sequential(separable(64, 112, 3, 2), Stage(112, 112, 2, dense=False))
        self.thirtysecond = nn.Sequential(
            separable(112, 160, 3, 2), Stage(160, 160, 1, dense=False), PyramidPooling(160)
        )
        self.enlarge = nn.Upsample(scale_factor=2, mode="nearest")
        self.down_16 = Stage(160 + 112, 96, 1)
        self.down_8 = Stage(96 + 64, 64, 1)
        self.shrink_16 = separable(64, 64, 3, 2)
        self.up_16 = Stage(64 + 96, 96, 1, dense=False)
        self.shrink_32 = separable(96, 96, 3, 2)
        self.up_32 = Stage(96 + 160, 128, 1, dense=False)
        self.heads = nn.ModuleList(
            Head(c, classes, s) for c, s in zip((64, 96, 128), STRIDES)
        )

    def forward(self, x):
        eighth = self.eighth(self.stem(x))
        sixteenth = self.sixteenth(eighth)
        coarse = self.thirtysecond(sixteenth)
        middle = self.down_16(torch.cat([self.enlarge(coarse), sixteenth], 1))
        fine = self.down_8(torch.cat([self.enlarge(middle), eighth], 1))
        middle = self.up_16(torch.cat([self.shrink_16(fine), middle], 1))
        coarse = self.up_32(torch.cat([self.shrink_32(middle), coarse], 1))
        maps = [head(m) for head, m in zip(self.heads, (fine, middle, coarse))]
        return torch.cat([m.flatten(2) for m in maps], 2)


def anchors(width: int, height: int):
    """Cell centres `[2, anchors]` in pixels and strides `[1, anchors]`, finest grid first."""
    centres, strides = [], []
    for stride in STRIDES:
        y, x = torch.meshgrid(
            torch.arange(height // stride) + 0.5, torch.arange(width // stride) + 0.5, indexing="ij"
        )
        centres.append(torch.stack([x.flatten(), y.flatten()]) * stride)
        strides.append(torch.full((1, x.numel()), float(stride)))
    return torch.cat(centres, 1), torch.cat(strides, 1)


def expected_distances(raw):
    """`[N, 4 * BINS, anchors]` distributions to `[N, 4, anchors]` distances in cells."""
    batch, _, count = raw.shape
    share = raw.view(batch, 4, BINS, count).softmax(2)
    return (share * torch.arange(BINS, dtype=raw.dtype).view(1, 1, BINS, 1)).sum(2)


class Decoded(nn.Module):
    """The detector with its decoding: centre x, centre y, width, height in input pixels, then one
    sigmoid score per class."""

    def __init__(self, detector: Detector, width: int, height: int):
        super().__init__()
        self.detector = detector
        centres, strides = anchors(width, height)
        self.register_buffer("centres", centres[None])
        self.register_buffer("strides", strides[None])
        weights = torch.arange(BINS, dtype=torch.float32).view(1, BINS, 1, 1)
        self.register_buffer("bins", weights)

    def forward(self, images):
        raw = self.detector(images)
        boxes, scores = raw.split([4 * BINS, self.detector.classes], 1)
        batch, _, count = boxes.shape
        share = boxes.view(batch, 4, BINS, count).transpose(1, 2).softmax(1)
        # The expectation as a 1x1 convolution with the fixed weights 0, 1, 2, ...
        distances = functional.conv2d(share, self.bins).view(batch, 4, count)
        near, far = distances.chunk(2, 1)
        top_left = self.centres - near * self.strides
        bottom_right = self.centres + far * self.strides
        centre = (top_left + bottom_right) / 2
        return torch.cat([centre, bottom_right - top_left, scores.sigmoid()], 1)
