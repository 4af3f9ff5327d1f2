"""Image classifiers: [1, 3, 224, 224] → [1, 1000]."""

from .builder import Network

SHAPE = [1, 3, 224, 224]


def _divisible(value, by=8):
    rounded = max(by, int(value + by / 2) // by * by)
    return rounded + by if rounded < 0.9 * value else rounded


def _finish(net, x, channels):
    x = net.node("Flatten", net.node("GlobalAveragePool", x), axis=1)
    net.output(net.classifier(x, channels, 1000), "output", [1, 1000])
    return net.model()


def resnet50():
    """He et al. 2015, with the stride in the 3×3 convolution."""
    net = Network("resnet50")
    x = net.node("Relu", net.convolution(net.input("input", SHAPE), 3, 64, 7, 2))
    x = net.node("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    channels = 64
    for width, count, first in ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)):
        for i in range(count):
            stride = first if i == 0 else 1
            y = net.node("Relu", net.convolution(x, channels, width))
            y = net.node("Relu", net.convolution(y, width, width, 3, stride))
            y = net.convolution(y, width, 4 * width, gain=0.3)
            if i == 0:
                x = net.convolution(x, channels, 4 * width, 1, stride, gain=1.0)
            channels = 4 * width
            x = net.node("Relu", net.node("Add", y, x))
    return _finish(net, x, channels)


def mobilenet_v2():
    """Sandler et al. 2018."""
    net = Network("mobilenet_v2")

    def clipped(x):
        return net.node("Clip", x, 0.0, 6.0)

    x = clipped(net.convolution(net.input("input", SHAPE), 3, 32, 3, 2))
    channels = 32
    for expansion, outputs, count, first in (
            (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1),
            (6, 160, 3, 2), (6, 320, 1, 1)):
        for i in range(count):
            stride = first if i == 0 else 1
            hidden = channels * expansion
            y = x if expansion == 1 else clipped(net.convolution(x, channels, hidden))
            y = clipped(net.convolution(y, hidden, hidden, 3, stride, hidden))
            y = net.convolution(y, hidden, outputs, gain=1.0)
            x = net.node("Add", x, y) if stride == 1 and channels == outputs else y
            channels = outputs
    return _finish(net, clipped(net.convolution(x, 320, 1280)), 1280)


def _excite(net, x, channels, squeezed, inner, outer):
    """Squeeze-and-excitation: every channel times a gate computed from all channels' means."""
    gate = net.node("GlobalAveragePool", x)
    gate = inner(net.convolution(gate, channels, squeezed))
    return net.node("Mul", outer(net.convolution(gate, squeezed, channels)), x)


def mobilenet_v3_small():
    """Howard et al. 2019."""
    net = Network("mobilenet_v3_small")

    def relu(x):
        return net.node("Relu", x)

    def hard_swish(x):
        return net.node("HardSwish", x)

    def hard_sigmoid(x):
        return net.node("HardSigmoid", x, alpha=1 / 6)

    x = hard_swish(net.convolution(net.input("input", SHAPE), 3, 16, 3, 2))
    channels = 16
    for kernel, hidden, outputs, excited, swishes, stride in (
            (3, 16, 16, True, False, 2), (3, 72, 24, False, False, 2), (3, 88, 24, False, False, 1),
            (5, 96, 40, True, True, 2), (5, 240, 40, True, True, 1), (5, 240, 40, True, True, 1),
            (5, 120, 48, True, True, 1), (5, 144, 48, True, True, 1), (5, 288, 96, True, True, 2),
            (5, 576, 96, True, True, 1), (5, 576, 96, True, True, 1)):
        function = hard_swish if swishes else relu
        y = x if hidden == channels else function(net.convolution(x, channels, hidden))
        y = function(net.convolution(y, hidden, hidden, kernel, stride, hidden))
        if excited:
            y = _excite(net, y, hidden, _divisible(hidden // 4), relu, hard_sigmoid)
        y = net.convolution(y, hidden, outputs, gain=1.0)
        x = net.node("Add", y, x) if stride == 1 and channels == outputs else y
        channels = outputs
    x = hard_swish(net.convolution(x, 96, 576))
    x = net.node("Flatten", net.node("GlobalAveragePool", x), axis=1)
    x = hard_swish(net.classifier(x, 576, 1024))
    net.output(net.classifier(x, 1024, 1000), "output", [1, 1000])
    return net.model()


def efficientnet_b0():
    """Tan & Le 2019."""
    net = Network("efficientnet_b0")
    x = net.swish(net.convolution(net.input("input", SHAPE), 3, 32, 3, 2))
    channels = 32
    for expansion, kernel, first, outputs, count in (
            (1, 3, 1, 16, 1), (6, 3, 2, 24, 2), (6, 5, 2, 40, 2), (6, 3, 2, 80, 3),
            (6, 5, 1, 112, 3), (6, 5, 2, 192, 4), (6, 3, 1, 320, 1)):
        for i in range(count):
            stride = first if i == 0 else 1
            hidden = channels * expansion
            y = x if expansion == 1 else net.swish(net.convolution(x, channels, hidden))
            y = net.swish(net.convolution(y, hidden, hidden, kernel, stride, hidden))
            y = _excite(
                net, y, hidden, channels // 4, net.swish, lambda v: net.node("Sigmoid", v))
            y = net.convolution(y, hidden, outputs, gain=4.0)
            x = net.node("Add", y, x) if stride == 1 and channels == outputs else y
            channels = outputs
    return _finish(net, net.swish(net.convolution(x, 320, 1280)), 1280)
