"""Detectors: [1, 3, 640, 640] → [1, 84, 8400], boxes as centre and size, then 80 scores.

The anchor-free head (Ultralytics, 2023) stands behind both backbones.
"""

import numpy as np

from .builder import Network

SIDE = 640
CLASSES = 80
BINS = 16


class _Detector(Network):
    def unit(self, x, inputs, outputs, kernel=1, stride=1, pad=None):
        return self.swish(self.convolution(x, inputs, outputs, kernel, stride, gain=2.5, pad=pad))

    def bottleneck(self, x, channels, first_kernel, adds):
        y = self.unit(x, channels, channels, first_kernel)
        y = self.unit(y, channels, channels, 3)
        return self.node("Add", x, y) if adds else y

    def split_stage(self, x, inputs, outputs, count, adds=True):
        """The stage of version 8: all bottlenecks' outputs are concatenated."""
        half = outputs // 2
        x = self.unit(x, inputs, outputs)
        parts = self.node("Split", x, np.array([half, half]), outputs=2, axis=1)
        for _ in range(count):
            parts.append(self.bottleneck(parts[-1], half, 3, adds))
        return self.unit(self.node("Concat", *parts, axis=1), (2 + count) * half, outputs)

    def cross_stage(self, x, inputs, outputs, count, adds=True):
        """The stage of version 5: bottlenecks beside a shortcut."""
        half = outputs // 2
        y = self.unit(x, inputs, half)
        for _ in range(count):
            y = self.bottleneck(y, half, 1, adds)
        joined = self.node("Concat", y, self.unit(x, inputs, half), axis=1)
        return self.unit(joined, outputs, outputs)

    def pyramid_pool(self, x, channels):
        parts = [self.unit(x, channels, channels // 2)]
        for _ in range(3):
            parts.append(
                self.node("MaxPool", parts[-1], kernel_shape=[5, 5], strides=[1, 1], pads=[2] * 4))
        return self.unit(self.node("Concat", *parts, axis=1), channels * 2, channels)

    def join(self, *values):
        return self.node("Concat", *values, axis=1)

    def upsample(self, x):
        scales = np.array([1, 1, 2, 2], np.float32)
        return self.node(
            "Resize", x, "", scales, mode="nearest", nearest_mode="floor",
            coordinate_transformation_mode="asymmetric")

    def detect(self, levels):
        """levels: (value, channels, stride) per scale, finest first."""
        box, score = max(16, levels[0][1] // 4, 4 * BINS), max(levels[0][1], CLASSES)
        rows = []
        for x, channels, _ in levels:
            b = self.unit(self.unit(x, channels, box, 3), box, box, 3)
            s = self.unit(self.unit(x, channels, score, 3), score, score, 3)
            both = self.join(
                self.convolution(b, box, 4 * BINS, gain=1.0),
                self.convolution(s, score, CLASSES, gain=1.0))
            rows.append(self.node("Reshape", both, np.array([1, 4 * BINS + CLASSES, -1])))
        parts = np.array([4 * BINS, CLASSES])
        b, s = self.node("Split", self.node("Concat", *rows, axis=2), parts, outputs=2, axis=1)
        # The expectation of each side's distance over its bins.
        b = self.node("Reshape", b, np.array([1, 4, BINS, -1]))
        b = self.node("Softmax", self.node("Transpose", b, perm=[0, 2, 1, 3]), axis=1)
        bins = np.arange(BINS, dtype=np.float32).reshape(1, BINS, 1, 1)
        b = self.node("Reshape", self.node("Conv", b, bins), np.array([1, 4, -1]))
        near, far = self.node("Split", b, np.array([2, 2]), outputs=2, axis=1)
        anchors, strides = self._anchors(levels)
        low, high = self.node("Sub", anchors, near), self.node("Add", far, anchors)
        centre = self.node("Div", self.node("Add", low, high), 2.0)
        boxes = self.node("Concat", centre, self.node("Sub", high, low), axis=1)
        found = self.join(self.node("Mul", boxes, strides), self.node("Sigmoid", s))
        self.output(found, "output0", [1, 4 + CLASSES, strides.shape[1]])
        return self.model()

    @staticmethod
    def _anchors(levels):
        points, strides = [], []
        for _, _, stride in levels:
            count = SIDE // stride
            ys, xs = np.meshgrid(np.arange(count) + 0.5, np.arange(count) + 0.5, indexing="ij")
            points.append(np.stack([xs.ravel(), ys.ravel()]))
            strides.append(np.full(count * count, stride))
        return (np.concatenate(points, 1)[None].astype(np.float32),
                np.concatenate(strides)[None].astype(np.float32))


def yolov8n():
    net = _Detector("yolov8n")
    x = net.unit(net.input("images", [1, 3, SIDE, SIDE]), 3, 16, 3, 2)
    x = net.split_stage(net.unit(x, 16, 32, 3, 2), 32, 32, 1)
    fine = net.split_stage(net.unit(x, 32, 64, 3, 2), 64, 64, 2)
    middle = net.split_stage(net.unit(fine, 64, 128, 3, 2), 128, 128, 2)
    x = net.split_stage(net.unit(middle, 128, 256, 3, 2), 256, 256, 1)
    coarse = net.pyramid_pool(x, 256)
    middle = net.split_stage(net.join(net.upsample(coarse), middle), 384, 128, 1, False)
    fine = net.split_stage(net.join(net.upsample(middle), fine), 192, 64, 1, False)
    middle = net.split_stage(
        net.join(net.unit(fine, 64, 64, 3, 2), middle), 192, 128, 1, False)
    coarse = net.split_stage(
        net.join(net.unit(middle, 128, 128, 3, 2), coarse), 384, 256, 1, False)
    return net.detect([(fine, 64, 8), (middle, 128, 16), (coarse, 256, 32)])


def yolov5n():
    net = _Detector("yolov5n")
    x = net.unit(net.input("images", [1, 3, SIDE, SIDE]), 3, 16, 6, 2, pad=2)
    x = net.cross_stage(net.unit(x, 16, 32, 3, 2), 32, 32, 1)
    fine = net.cross_stage(net.unit(x, 32, 64, 3, 2), 64, 64, 2)
    middle = net.cross_stage(net.unit(fine, 64, 128, 3, 2), 128, 128, 3)
    x = net.cross_stage(net.unit(middle, 128, 256, 3, 2), 256, 256, 1)
    coarse = net.unit(net.pyramid_pool(x, 256), 256, 128)
    x = net.cross_stage(net.join(net.upsample(coarse), middle), 256, 128, 1, False)
    middle = net.unit(x, 128, 64)
    fine = net.cross_stage(net.join(net.upsample(middle), fine), 128, 64, 1, False)
    middle = net.cross_stage(
        net.join(net.unit(fine, 64, 64, 3, 2), middle), 128, 128, 1, False)
    coarse = net.cross_stage(
        net.join(net.unit(middle, 128, 128, 3, 2), coarse), 256, 256, 1, False)
    return net.detect([(fine, 64, 8), (middle, 128, 16), (coarse, 256, 32)])
